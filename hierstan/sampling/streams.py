"""Random numbers of what numpy draws: which fits and calls share them, and which do not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

TAKEN = 1000  # values of each variable that tell a fit from any other


def stream(seed: int, draws: Mapping[str, np.ndarray], *content: object) -> int:
    """Return a seed of its own for each fit and each content, the same every time.

    Two fits with one seed, or two predictions from one fit, would else have their random numbers
    in common, and the difference between them would have the wrong standard deviation.

    Parameters
    ----------
    seed : int
        That of the fit.
    draws : mapping of str to numpy.ndarray
        Its draws.
    *content : numpy.ndarray, str or int
        What is drawn.

    Returns
    -------
    int
        From 1 to 2^31 - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from hierstan.sampling.streams import stream
    >>> draws = {"mu": np.zeros((4, 10))}
    >>> stream(1, draws, "a") == stream(1, draws, "a"), stream(1, draws, "a") == stream(2, draws)
    (True, False)
    """
    made = hashlib.blake2b(str(seed).encode(), digest_size=8)
    for name in sorted(draws):
        values = draws[name].reshape(-1)[:TAKEN]
        made.update(name.encode() + np.ascontiguousarray(values, dtype=float).tobytes())
    for part in content:
        whole = isinstance(part, np.ndarray)
        made.update(np.ascontiguousarray(part).tobytes() if whole else f"|{part}|".encode())
    return int.from_bytes(made.digest(), "big") % (2**31 - 1) + 1

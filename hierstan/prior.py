"""What all prior distributions share: their numbers, their support and their spelling in Stan.

A prior's *kind* is text in the Stan program and its *numbers* are data, so a change of numbers
never recompiles a model.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hierstan.errors import PriorError

POSITIVE_FIELDS = frozenset({"scale", "df", "rate", "shape"})


@dataclass(frozen=True)
class Prior:
    """Base of all priors: a Stan distribution with its numbers."""

    stan_name: ClassVar[str]
    positive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, value in self.numbers().items():
            if isinstance(value, bool) or not isinstance(
                value, (int, float, np.integer, np.floating)
            ):
                raise PriorError(f"{type(self).__name__}: {name} must be a number, got {value!r}.")
            if not math.isfinite(value):
                raise PriorError(
                    f"{type(self).__name__}: {name} must be finite, got {value}. An improper prior "
                    "has no prior predictive distribution and may leave the posterior improper; "
                    "give a wide but finite one."
                )
            if name in POSITIVE_FIELDS and value <= 0:
                raise PriorError(f"{type(self).__name__}: {name} must be above 0, got {value}.")
            object.__setattr__(self, name, float(value))

    def numbers(self) -> dict[str, float]:
        """Return the numbers by name, in the order in which Stan takes them.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.StudentT(3, 0, 2.5).numbers()
        {'df': 3.0, 'location': 0.0, 'scale': 2.5}
        """
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def stan_arguments(self, parameter: str) -> str:
        """Return the arguments of the Stan distribution, named after `parameter`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.Normal(0, 10).stan_arguments("mu")
        'mu_location, mu_scale'
        """
        return ", ".join(f"{parameter}_{name}" for name in self.numbers())

    def log_density(self, x: Any) -> np.ndarray:
        """Return the log density at `x`, of any shape, up to no constant.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.Exponential(1).log_density([2.0, -1.0])
        array([ -2., -inf])
        """
        frozen, factor = self._scipy()
        x = np.asarray(x, dtype=float)
        inside = (x >= 0) if self.positive else np.ones(x.shape, dtype=bool)
        return np.where(inside, frozen.logpdf(x) + math.log(factor), -np.inf)

    def quantile(self, q: Any) -> np.ndarray:
        """Return the quantiles at the probabilities `q`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.HalfNormal(5).quantile([0.5, 0.95]).round(2)
        array([3.37, 9.8 ])
        """
        frozen, factor = self._scipy()
        q = np.asarray(q, dtype=float)
        return np.asarray(frozen.ppf(1 - (1 - q) / factor) if factor != 1 else frozen.ppf(q))

    def _scipy(self) -> tuple[Any, float]:
        """Return the scipy distribution and the factor that folding it at 0 multiplies it by."""
        raise NotImplementedError

    def __str__(self) -> str:
        numbers = ", ".join(f"{value:.4g}" for value in self.numbers().values())
        return f"{type(self).__name__}({numbers})"

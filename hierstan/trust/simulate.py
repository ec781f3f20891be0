"""Simulated data sets: what a model says data would look like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.models.pooling import Pooling
from hierstan.models.poolings import PartialPooling
from hierstan.trust.generator import Generator, Simulation


def simulate(
    data: GroupedData,
    *,
    model: Pooling | None = None,
    truth: Mapping[str, ArrayLike] | None = None,
    replicates: int = 1,
    seed: int | None = None,
    population: str = "normal",
) -> list[Simulation]:
    """Simulate data sets with the groups and the design of `data`.

    Parameters
    ----------
    data : GroupedData
        Gives groups, standard errors, trials, exposures and rows per group; its outcomes serve only
        to scale default priors.
    model : CompletePooling, NoPooling or PartialPooling, optional
        Partial pooling with default priors unless given.
    truth : mapping of str to number or array, optional
        True values of ``mu``, ``tau``, ``theta`` or the family's parameters, on the link scale;
        with factors, such as region, also ``tau_region`` and ``u_region`` (one a level). Each data
        set has new values from the prior for what is not given.
    replicates : int
        Number of data sets.
    seed : int, optional
        The same seed gives the same data sets.
    population : {"normal", "template"}
        Where partial pooling's ``theta`` come from: ``normal(mu, tau)``, or the template's own
        ``theta_new``, for a population that was edited on purpose.

    Returns
    -------
    list of Simulation
        One for each replicate, also if that is a single one. Outcomes that overflow are drawn
        again, together with the values drawn from the prior.

    Raises
    ------
    DataError, HierstanError, PriorError, TemplateError

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> [made] = hs.simulate(data, truth={"mu": 5, "tau": 10}, seed=1)
    >>> made.truth["tau"], made.truth["theta"].shape, list(made.data.groups) == list(data.groups)
    (10.0, (8,), True)
    """
    if replicates < 1:
        raise HierstanError(f"replicates must be at least 1, got {replicates!r}.")
    model = PartialPooling() if model is None else model
    generator = Generator(model, data, population)
    given = generator.checked(truth or {})
    seeds = np.random.SeedSequence(seed).spawn(replicates)
    return [generator.simulate(given, np.random.default_rng(child)) for child in seeds]

"""Where the means of the population are, and how unsure that is, as data of the programs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hierstan.priors import Prior
from hierstan.sampling.joint import Entries, as_normal

BINS = 100  # of groups with similar standard errors
Dispersed = Mapping[str, tuple[np.ndarray, np.ndarray]]  # precision at most, and noise added
Arms = Mapping[str, tuple[np.ndarray, np.ndarray]]  # estimate and precision of each arm


def of_line(
    design: np.ndarray,
    estimate: np.ndarray,
    precision: np.ndarray,
    tau2: float,
    priors: Mapping[str, Prior],
) -> Entries:
    """Return where ``mu`` and the slopes are, and how unsure that is."""
    names = ["mu", *["beta"] * (design.shape[1] - 1)]
    prior = np.array([as_normal(priors[name]) for name in names])
    with np.errstate(divide="ignore"):
        weights = 1 / (1 / precision + tau2)
    rest = estimate - design @ prior[:, 0]
    units = prior[:, 1]
    scaled = design * units  # in units of the priors, so that nothing is lost in rounding
    information = (scaled.T * weights) @ scaled + np.eye(len(units))
    moved = np.linalg.solve(information, scaled.T @ (weights * rest))
    guess = prior[:, 0] + units * moved
    unit = units * np.sqrt(np.diag(np.linalg.inv(information)))
    return {
        "mu_guess": guess[0],
        "mu_unit": unit[0],
        "beta_guess": guess[1:],
        "beta_unit": unit[1:],
    }


def of_arms(
    arms: Arms,
    effect: np.ndarray,
    unsure: np.ndarray,
    priors: Mapping[str, Prior],
    dispersed: Dispersed,
    *,
    counts: bool,
) -> Entries:
    """Return what the arms say, and where the mean of the baselines is.

    Parameters
    ----------
    arms : mapping
    effect, unsure : numpy.ndarray
        About where the groups' effects are, and their variances, (J,).
    priors : mapping of str to Prior
    dispersed : mapping
        Of each arm, as `of_mean` takes it.
    counts : bool
        Whether the arms count.
    """
    slope, its_unit = as_normal(priors["slope"]) if "slope" in priors else (0.0, 0.0)
    estimate, precision = arms["control"]
    says = precision > 0
    between = float(np.var(estimate[says])) if counts and says.any() else 0.0
    most, added = dispersed.get("control_", (precision, np.zeros_like(precision)))
    with np.errstate(divide="ignore"):
        known, at_most = (
            counts / (1 / one + (slope**2 + its_unit**2) * unsure) for one in (precision, most)
        )
    of_rows = at_most, added
    return {
        **of_mean("B", "baseline", estimate, known, between, priors["intercept"], of_rows, effect),
        "slope_guess": slope,
        "slope_unit": its_unit,
        **{arm: found[0] for arm, found in arms.items()},
        **{f"{arm}_precision": found[1] * counts for arm, found in arms.items()},
    }


def of_mean(
    count: str,
    of: str,
    estimate: np.ndarray,
    precision: np.ndarray,
    tau2: float,
    prior: Prior,
    dispersed: tuple[np.ndarray, np.ndarray],
    effect: np.ndarray | None = None,
) -> Entries:
    """Return what there is to say of a mean: its prior, and groups of similar precision.

    Of overdispersed rows also at an endless ``phi``, and what ``1 / phi`` adds to the variance.
    """
    location, scale = as_normal(prior)
    said = [(location, scale**2, 0.0, 0.0, scale**2, 0.0)]
    most, added = dispersed
    effects = np.zeros_like(estimate) if effect is None else effect
    order = np.argsort(precision, kind="stable")[np.count_nonzero(precision <= 0) :]
    for alike in np.array_split(order, min(BINS, len(order))) if len(order) else []:
        some, weights = precision[alike], 1 / (1 / precision[alike] + tau2)
        share = 1 / len(alike)
        means = (float(np.average(one[alike], weights=weights)) for one in (estimate, effects))
        mean, of_effect = means
        least, more = share / most[alike].mean(), share * added[alike].mean()
        said.append((mean, share / some.mean(), share, of_effect, least, more))
    names = ("estimate", "noise", "share", "effect", "noise_least", "noise_added")
    entries = zip(names, np.array(said).T, strict=True)
    return {count: len(said), **{f"{of}_{name}": entry for name, entry in entries}}

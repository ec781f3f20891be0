"""What the tests of decisions and predictions share: fits, exact answers, Monte Carlo errors."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from schools import eight_schools as schools

import hierstan as hs
from hierstan.fit.judgement import Judgement, judge
from hierstan.fit.once import once
from hierstan.sampling.arrays import Sampled

REFERENCE = Path(__file__).parent / "reference_cases"
TIMES = 4.0
DRAWS = np.array([[[3.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 5.0, 4.0], [2.0, 2.0, 2.0]]])
SCHOOL_PRIORS = {"mu": hs.Normal(0, 5), "tau": hs.HalfCauchy(5), "theta": hs.Normal(0, 10)}
BASEBALL_PRIORS = {"mu": hs.Normal(-1, 1), "tau": hs.Exponential(1), "theta": hs.Normal(-1, 1)}


@functools.cache
def reference(name: str) -> dict[str, Any]:
    return json.loads((REFERENCE / f"{name}.json").read_text())["exact"]


def baseball(when: str = "") -> hs.GroupedData:
    return hs.GroupedData.from_counts(
        hs.load_dataset("baseball"),
        group="player",
        successes=f"{when}hits",
        trials=f"{when}at_bats",
    )


@functools.cache
def school_fits() -> dict[str, hs.Fit]:
    return hs.fit_poolings(schools(), priors=SCHOOL_PRIORS, seed=1, engine="stanli")


@functools.cache
def baseball_fits() -> dict[str, hs.Fit]:
    return hs.fit_poolings(baseball(), priors=BASEBALL_PRIORS, seed=1, engine="stanli")


def mcse(fit: hs.Fit, per_draw: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Monte Carlo standard error of the mean of a function of theta, (S, J) to (S, K)."""
    from arviz_stats.base import array_stats

    values = np.asarray(per_draw(fit.draws("theta")), dtype=float)
    sizes = fit.posterior.sizes
    chains = values.reshape(sizes["chain"], sizes["draw"], -1)
    return np.array([array_stats.mcse(chains[..., k]) for k in range(chains.shape[2])])


def fit_of(
    theta: np.ndarray, labels: Any = None, model: Any = None, family: str = "normal"
) -> hs.Fit:
    """Make a fit with these draws of theta, (chain, draw, group), of made-up data."""
    J = theta.shape[2]
    labels = np.arange(J) if labels is None else labels
    if family == "normal":
        frame = pd.DataFrame({"g": labels, "y": 0.0, "se": 1.0})
        data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    elif family == "poisson":
        frame = pd.DataFrame({"g": labels, "y": 5})
        data = hs.GroupedData.from_events(frame, group="g", events="y")
    else:
        frame = pd.DataFrame({"g": labels, "y": 5, "n": 100})
        data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    model = model or hs.PartialPooling()
    shape = {"mu": theta[..., 0] * 0, "tau": theta[..., 0] * 0 + 1}
    posterior = xr.Dataset(
        {"theta": (("chain", "draw", "group"), theta)}
        | {name: (("chain", "draw"), values) for name, values in shape.items()},
        coords={"group": np.arange(J)},
    )
    fit = hs.Fit(
        model=model,
        data=data,
        kept=Sampled(xr.DataTree.from_dict({"posterior": posterior})),
        priors=model.resolve_priors(data),
        engine="none",
        seed=1,
        options={},
        program=model.program(data),
        conditional=model.program(data),
    )
    once(fit, (judge,), lambda: Judgement((), ()))  # to be trusted, however few the draws
    return fit

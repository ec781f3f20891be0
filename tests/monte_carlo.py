"""Draws against exact moments, in units of their Monte Carlo standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from exact import Posterior

import hierstan as hs

if TYPE_CHECKING:
    import xarray as xr

TIMES = 4.0


def far_off(
    fit: hs.Fit,
    exact: Posterior,
    names: list[str] | None = None,
    *,
    draws: xr.Dataset | None = None,
) -> list[str]:
    """List the means and standard deviations that are more than four MCSEs from the exact ones.

    `draws` stand in for those of the fit, where the exact ones are of a function of them.
    """
    wanted = names or list(exact.mean)
    draws = (fit.posterior if draws is None else draws)[wanted]
    found = {"mean": draws.mean(("chain", "draw")), "sd": draws.std(("chain", "draw"))}
    wrong = []
    for name in wanted:
        for kind, truth in (("mean", exact.mean[name]), ("sd", exact.sd[name])):
            error = np.atleast_1d(_mcse(draws[[name]], kind)[name].to_numpy())
            value, truth = np.atleast_1d(found[kind][name].to_numpy()), np.atleast_1d(truth)
            assert value.shape == truth.shape
            assert np.isfinite(error).all()
            wrong += [
                f"{kind} of {name}[{j}]: {value[j]:.5g}, exact {truth[j]:.5g}, MCSE {error[j]:.2g}"
                for j in np.flatnonzero(~(np.abs(value - truth) < TIMES * error))
            ]
    return wrong


def _mcse(draws: xr.Dataset, kind: str) -> xr.Dataset:
    """Return the Monte Carlo standard error of means or standard deviations.

    ArviZ 0.8 takes the effective sample size of the draws for that of their squares, which is too
    large by far where NUTS makes successive draws differ.
    """
    import arviz_stats as azs

    if kind == "mean":
        return azs.mcse(draws, method="mean")
    over = ("chain", "draw")
    squares = (draws - draws.mean(over)) ** 2
    return azs.mcse(squares, method="mean") / (2 * draws.std(over))

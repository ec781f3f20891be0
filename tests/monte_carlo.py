"""Draws against exact moments, in units of their Monte Carlo standard error."""

from __future__ import annotations

import numpy as np
from exact import Posterior

import hierstan as hs

TIMES = 4.0


def far_off(fit: hs.Fit, exact: Posterior, names: list[str] | None = None) -> list[str]:
    """List the means and standard deviations that are more than four MCSEs from the exact ones."""
    import arviz_stats as azs

    wanted = names or [name for name in exact.mean if name in fit.posterior]
    draws = fit.posterior[wanted]
    found = {"mean": draws.mean(("chain", "draw")), "sd": draws.std(("chain", "draw"))}
    wrong = []
    for name in wanted:
        for kind, truth in (("mean", exact.mean[name]), ("sd", exact.sd[name])):
            error = np.atleast_1d(azs.mcse(draws, method=kind)[name].to_numpy())
            value, truth = np.atleast_1d(found[kind][name].to_numpy()), np.atleast_1d(truth)
            assert value.shape == truth.shape
            assert np.isfinite(error).all()
            wrong += [
                f"{kind} of {name}[{j}]: {value[j]:.5g}, exact {truth[j]:.5g}, MCSE {error[j]:.2g}"
                for j in np.flatnonzero(~(np.abs(value - truth) < TIMES * error))
            ]
    return wrong

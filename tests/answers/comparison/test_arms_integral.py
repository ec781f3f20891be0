"""Two arms with baselines and effects integrated out, where no arm has an event."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral

GRID = np.linspace(-9, 9, 1201)
HYPER = {
    "intercept": np.array([-3.0, -6.0, -9.0]),
    "spread": np.array([0.3, 2.0, 8.0]),
    "mu": np.array([0.2, -2.0, 4.0]),
}


def trial(counts: str) -> hs.GroupedData:
    """Four groups of 20 and 30, in which nothing happened, or everything."""
    n = np.array([20, 30] * 4)
    y = 0 * n if counts == "none" else n
    frame = pd.DataFrame({"g": np.repeat(range(4), 2), "a": [0, 1] * 4, "y": y, "n": n})
    return hs.GroupedData.from_trial(
        frame, group="g", arm="a", control=0, successes="y", trials="n"
    )


@pytest.mark.parametrize("counts", ["none", "all"])
def test_arms_without_events_have_the_probability_that_quadrature_finds(counts: str) -> None:
    """Data so flat in the baselines that normal approximations of them are far off."""
    data, sign = trial(counts), -1 if counts == "none" else 1
    hyper = {name: sign * -value for name, value in HYPER.items() if name != "spread"}
    hyper["spread"] = HYPER["spread"]
    model = hs.CompletePooling()
    fit = model.fit(data, seed=1, engine="stanli", progress=False, chains=1, draws=100)
    found = ArmsIntegral(fit.conditional, fit.priors, data, "group")(hyper)
    for s, row in enumerate(found):
        baseline = hyper["intercept"][s] + hyper["spread"][s] * GRID
        log_p = sum(
            n * special.log_expit(sign * (baseline + effect))
            for n, effect in ((20, 0.0), (30, hyper["mu"][s]))
        )
        exact = special.logsumexp(stats.norm.logpdf(GRID) + log_p) + np.log(GRID[1] - GRID[0])
        assert row == pytest.approx(exact, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("model", [hs.CompletePooling(), hs.NoPooling(), hs.PartialPooling()])
def test_no_events_are_no_likelier_than_certain(model: hs.PartialPooling) -> None:
    fit = model.fit(trial("none"), seed=1, engine="stanli", progress=False)
    for unit in ("group", "arm"):
        elpd = hs.loo(fit, unit=unit, progress=False).elpd_i
        assert (elpd < 0).all()
        assert (elpd > -3).all()

"""Two arms with baselines and effects integrated out, where no arm has an event."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import two_arms
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


def log_density(family: str, y: np.ndarray, eta: np.ndarray, own: dict) -> np.ndarray:
    """Return log densities of rows at linear predictors (..., 1), from the books."""
    mean = np.exp(eta)
    return {
        "gamma": lambda: stats.gamma.logpdf(y, own["shape"], scale=mean / own["shape"]),
        "neg_binomial": lambda: stats.nbinom.logpmf(
            y, own["phi"], own["phi"] / (own["phi"] + mean)
        ),
        "student_t": lambda: stats.t.logpdf(y, own["nu"], eta, own["sigma"]),
        "poisson": lambda: stats.poisson.logpmf(y, mean),
        "bernoulli": lambda: stats.bernoulli.logpmf(y, special.expit(eta)),
    }[family]()


@pytest.mark.parametrize("family", ["gamma", "neg_binomial", "student_t", "poisson", "bernoulli"])
def test_a_row_is_left_out_as_quadrature_over_both_dimensions_does(family: str) -> None:
    fit, group, draws = two_arms.rows(family), 1, np.array([5, 300, 590])
    names = ["mu", "tau", "slope", "intercept", "spread", *fit.family.parameters]
    hyper = {name: fit.draws(name)[draws] for name in names}
    found = ArmsIntegral(fit.conditional, fit.priors, fit.data, "observation")(hyper)
    rows = fit.data.rows
    assert rows is not None
    mine = np.flatnonzero(rows["group"] == group)
    y, treated = rows["y"].to_numpy(float)[mine], rows["treated"].to_numpy()[mine]
    z = np.linspace(-6, 6, 161)
    for s in range(len(draws)):
        one = {name: float(values[s]) for name, values in hyper.items()}
        theta = one["mu"] + one["tau"] * z[:, None]
        baseline = one["intercept"] + one["slope"] * theta + one["spread"] * z
        eta = baseline[..., None] + theta[..., None] * treated
        each = log_density(family, y, eta, one)
        prior = stats.norm.logpdf(z)[:, None] + stats.norm.logpdf(z)
        whole = special.logsumexp(prior + each.sum(axis=-1))
        rest = special.logsumexp((prior + each.sum(axis=-1))[..., None] - each, axis=(0, 1))
        np.testing.assert_allclose(found[s, mine], whole - rest, atol=0.005)

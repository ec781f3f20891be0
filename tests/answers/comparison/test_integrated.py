"""ArviZ leaves units out as `hs.loo` does, given the log likelihood without group means."""

from __future__ import annotations

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest

import hierstan as hs

QUICK = {"seed": 1, "engine": "stanli", "progress": False}


@pytest.fixture(scope="module")
def schools() -> dict[str, hs.Fit]:
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    return hs.fit_poolings(data, **QUICK)


@pytest.mark.parametrize("unit", ["observation", "group"])
def test_arviz_agrees_with_loo(schools: dict[str, hs.Fit], unit: str) -> None:
    for name in ("complete", "partial"):
        ours = hs.loo(schools[name], unit=unit)
        theirs = azs.loo(hs.integrated_log_likelihood(schools[name], unit=unit))
        assert theirs.elpd == pytest.approx(ours.elpd, abs=3 * ours.mcse + 0.05)
        assert theirs.se == pytest.approx(ours.se, rel=0.1)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_arviz_compares_in_the_same_order(schools: dict[str, hs.Fit]) -> None:
    ours = hs.compare({name: schools[name] for name in ("complete", "partial")})
    trees = {name: hs.integrated_log_likelihood(schools[name]) for name in ("complete", "partial")}
    theirs = azs.compare(trees)
    assert theirs.index.tolist() == ours.table.index.tolist()
    assert theirs["elpd"].to_numpy() == pytest.approx(ours.table["elpd"].to_numpy(), abs=0.1)


def test_the_log_likelihood_is_the_closed_form(schools: dict[str, hs.Fit]) -> None:
    fit = schools["partial"]
    tree = hs.integrated_log_likelihood(fit)
    frame = hs.load_dataset("eight_schools")
    mu, tau = (fit.posterior[name].to_numpy()[..., None] for name in ("mu", "tau"))
    sd = np.hypot(frame["se"].to_numpy(), tau)
    z = (frame["effect"].to_numpy() - mu) / sd
    exact = -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    found = tree["log_likelihood"]["y_integrated"]
    assert found.dims == ("chain", "draw", "observation")
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    assert "integrated out" in tree["log_likelihood"].attrs["conditional_on"]


def test_what_is_refused(schools: dict[str, hs.Fit]) -> None:
    with pytest.raises(hs.HierstanError, match="observation, group; got 'row'"):
        hs.integrated_log_likelihood(schools["partial"], unit="row")
    data = hs.GroupedData.from_estimates(
        pd.DataFrame({"g": [1, 2], "y": [0.0, 1.0], "s": 1.0}), group="g", estimate="y", se="s"
    )
    prior = hs.PartialPooling().fit(data, prior_only=True, **QUICK)
    with pytest.raises(hs.HierstanError, match="prior_only=True"):
        hs.integrated_log_likelihood(prior)

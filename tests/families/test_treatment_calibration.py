"""Two arms in every group: calibration of every program, and coverage at a truth of its own."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from programs import CAMPAIGN_PRIORS, POOLINGS, TRIALS, small_trial
from scipy import special

import hierstan as hs

FEW = ("gamma_treatment", "lognormal_treatment", "bernoulli_treatment", "neg_binomial_treatment")
QUICK: dict[str, Any] = {"engine": "stanli", "progress": False}


def calibrated(family: str, pooling: str, **options: Any) -> Any:
    data, model = small_trial(family), POOLINGS[pooling]()
    assert data.family == family
    known = model.prior_names(data)
    priors = {name: CAMPAIGN_PRIORS[name] for name in known if name in CAMPAIGN_PRIORS}
    return hs.sbc(type(model)(priors=priors), data, **QUICK, **options)


@pytest.mark.slow
@pytest.mark.parametrize("family", FEW)
def test_a_few_replicates_of_outcomes_in_two_arms(family: str) -> None:
    result = calibrated(family, "partial", replicates=10, draws=19, seed=1, n_jobs=1)
    limit = 0.01 / len(TRIALS)  # shared by all families, of which a campaign runs each
    assert (result.table["p_adjusted"] > limit).all(), str(result)
    assert not result.errors
    ranked = {"mu", "tau", "intercept", "slope", "spread", "theta[e]", "baseline[e]", "log_lik"}
    assert ranked <= set(result.ranks)


@pytest.mark.campaign
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", TRIALS)
def test_every_program_of_two_arms_is_calibrated(family: str, pooling: str) -> None:
    replicates = int(os.environ.get("HIERSTAN_SBC_REPLICATES", "500"))
    for seed in (1, 2):  # one in a hundred correct programs gives p < 0.01
        start = time.monotonic()
        result = calibrated(family, pooling, replicates=replicates, seed=seed, n_jobs=-1)
        worst = result.table["p_adjusted"].idxmin()
        print(
            f"| {family} | {pooling} | {len(result.ranks)} | {result.ranks.shape[1]} "
            f"| {result.table['p_adjusted'].min():.3f} | {worst} | {result.unmixed} "
            f"| {result.diverged} | {time.monotonic() - start:.0f} |"
        )
        if result.ok:
            break
    assert result.table["ok"].all(), str(result)
    assert not result.errors


# coverage at a truth of its own -------------------------------------------------------------------

TRUTH = {"mu": 0.4, "tau": 0.3, "intercept": -0.8, "slope": -0.4, "spread": 0.5}
OUTCOMES = ("binomial", "poisson", "normal")


def simulated(outcome: str, seed: int, J: int = 12) -> tuple[hs.GroupedData, np.ndarray]:
    """Counts, events or means of both arms of some sites, and the baselines and effects."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(TRUTH["mu"], TRUTH["tau"], J + 1)  # the last of a site not yet seen
    center = TRUTH["intercept"] + TRUTH["slope"] * theta
    baseline = rng.normal(center, TRUTH["spread"])
    n = np.tile(rng.integers(20, 200, J), 2)
    eta = np.concatenate([baseline[:J], (baseline + theta)[:J]])
    frame = pd.DataFrame(
        {"site": np.tile(np.arange(J), 2), "arm": np.repeat(["old", "new"], J), "n": n}
    )
    if outcome == "binomial":
        frame["y"], given = rng.binomial(n, special.expit(eta)), {"successes": "y", "trials": "n"}
    elif outcome == "poisson":
        frame["y"], given = rng.poisson(n * np.exp(eta)), {"events": "y", "exposure": "n"}
    else:
        frame["y"] = eta + 2 * rng.normal(size=2 * J) / np.sqrt(n)
        frame["sd"] = 2 * np.sqrt(rng.chisquare(n - 1) / (n - 1))
        given = {"mean": "y", "sd": "sd", "n": "n"}
    data = hs.GroupedData.from_trial(frame, group="site", arm="arm", control="old", **given)
    return data, np.array([theta, baseline])


def covered(outcome: str, data_sets: int) -> pd.Series:
    """Return how often 90% intervals hold what they are of, in per cent."""
    found: dict[str, list[bool]] = {}
    for seed in range(data_sets):
        data, (theta, baseline) = simulated(outcome, seed)
        fit = hs.PartialPooling().fit(data, seed=1, chains=2, warmup=500, draws=500, **QUICK)
        effects, mean = fit.theta(), TRIALS[data.family].means
        arms = [mean(fit.draws("baseline") + part, fit.own()) for part in (0, effects)]
        true = [mean(at[None], fit.own())[0] for at in (baseline[:-1], (baseline + theta)[:-1])]
        new = hs.predict(fit, new_groups=1, treated=True, seed=2)
        drawn = {
            "mean effect": (fit.draws("mu"), TRUTH["mu"]),
            "spread of effects": (fit.draws("tau"), TRUTH["tau"]),
            "effects": (effects, theta[:-1]),
            "differences": (effects[:, 1:] - effects[:, :-1], np.diff(theta[:-1])),
            "absolute": (arms[1] - arms[0], true[1] - true[0]),
            "new site's effect": (fit.draws("theta_new"), theta[-1]),
            "new site's baseline": (fit.draws("baseline_new"), baseline[-1]),
        }
        assert len(new.summary) == 1
        for name, (draws, truth) in drawn.items():
            low, high = np.quantile(draws, [0.05, 0.95], axis=0)
            found.setdefault(name, []).extend(np.atleast_1d((low <= truth) & (truth <= high)))
    return pd.Series({name: 100 * np.mean(inside) for name, inside in found.items()}).round(1)


def check_coverage(outcome: str, data_sets: int) -> None:
    """One interval a data set, or of many groups of one: within three errors of one of those."""
    rate = covered(outcome, data_sets)
    print(outcome, data_sets, rate.to_dict())
    error = 100 * np.sqrt(0.9 * 0.1 / data_sets)
    assert (rate > 90 - 3 * error - 1).all(), rate
    groups = ["effects", "differences", "absolute"]
    assert (rate[groups] < 90 + 3 * error).all(), rate


@pytest.mark.slow
def test_a_few_data_sets_are_covered() -> None:
    check_coverage("normal", 12)


@pytest.mark.campaign
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_effects_differences_and_new_sites_are_covered(outcome: str) -> None:
    check_coverage(outcome, int(os.environ.get("HIERSTAN_COVERAGE_DATA_SETS", "200")))

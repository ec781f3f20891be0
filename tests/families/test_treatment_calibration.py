"""Two arms in every group: calibration of every program, and coverage at a truth of its own."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from programs import CAMPAIGN_PRIORS, POOLINGS, TRIALS, small_trial

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
    assert (result.table["p_adjusted"] > 0.001).all(), str(result)
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

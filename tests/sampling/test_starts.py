"""Where chains start: on the scale of the data, whatever its unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.sampling.approximation import arms_near
from hierstan.sampling.starts import starting_points


def two_arms(unit: float) -> hs.GroupedData:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"site": np.repeat(list("abcdef"), 20), "arm": ["c", "t"] * 60})
    y = 5 + rng.normal(size=6)[np.repeat(range(6), 20)] + rng.normal(size=120)
    return hs.GroupedData.from_trial(
        frame.assign(y=unit * y), group="site", arm="arm", control="c", outcome="y"
    )


@pytest.mark.parametrize("unit", [1e-9, 1e9])
@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_two_arms_start_in_their_own_unit(model: type[hs.PartialPooling], unit: float) -> None:
    found = []
    for scale in (1.0, unit):
        data = two_arms(scale)
        found.append(starting_points(data, model().resolve_priors(data), chains=2, seed=3))
    for plain, scaled in zip(*found, strict=True):
        for name in ("baseline", "intercept", "spread", "theta", "sigma"):
            ratio = np.asarray(scaled[name]) / np.asarray(plain[name])
            np.testing.assert_allclose(ratio, unit, rtol=1e-6)


def test_an_arm_that_no_group_has_says_nothing() -> None:
    """So it is of a single group's data when one of its arms is left out."""
    frame = pd.DataFrame({"site": ["a", "b"] * 8, "arm": [*"cc", *"tt"] * 4})
    frame["stars"] = [1, 2, 3, 2, 1, 3, 3, 2] * 2
    names = {"group": "site", "arm": "arm", "control": "c", "outcome": "stars"}
    data = hs.GroupedData.from_trial(frame, family="ordinal", order=[1, 2, 3], **names)
    near = arms_near(data.only("a").without_arm("a", treated=True))
    assert near["control"][1][0] > 0
    assert near["treatment"][1].tolist() == [0.0]

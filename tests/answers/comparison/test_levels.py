"""Leaving out a level of a factor: many values of what it may add at a time."""

from __future__ import annotations

import numpy as np
import pytest
from programs import structured_data

import hierstan as hs
from hierstan.answers.comparison import levels


@pytest.mark.slow
@pytest.mark.parametrize("model", [hs.PartialPooling(), hs.CompletePooling()])
def test_copies_of_a_level_are_as_one_at_a_time(
    model: hs.PartialPooling | hs.CompletePooling, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = model.fit(
        structured_data("binomial"), seed=1, warmup=200, draws=50, chains=2, engine="stanli",
        progress=False,
    )  # fmt: skip
    together = hs.loo(fit, unit="region", progress=False)
    fit.cache.clear()
    monkeypatch.setattr(levels, "BLOCK", 0)
    alone = hs.loo(fit, unit="region", progress=False)
    assert together.labels.tolist() == alone.labels.tolist() == list("nswe")
    np.testing.assert_allclose(together.elpd_i, alone.elpd_i, atol=1e-8)
    np.testing.assert_allclose(together.mcse_i, alone.mcse_i, rtol=1e-6)

"""Leaving out a level of a factor: many values of what it may add at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from programs import structured_data
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison import levels
from hierstan.fit.once import forget


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
    forget(fit)
    monkeypatch.setattr(levels, "BLOCK", 0)
    alone = hs.loo(fit, unit="region", progress=False)
    assert together.labels.tolist() == alone.labels.tolist() == list("nswe")
    np.testing.assert_allclose(together.elpd_i, alone.elpd_i, atol=1e-8)
    np.testing.assert_allclose(together.mcse_i, alone.mcse_i, rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "much"),
    [(hs.PartialPooling(), 1), (hs.CompletePooling(), 1), (hs.CompletePooling(), 10_000)],
)
def test_a_new_level_is_integrated_out_however_much_its_groups_say(
    model: hs.PartialPooling | hs.CompletePooling, much: int
) -> None:
    y = np.array([3, 9, 2, 8, 5, 4])
    frame = pd.DataFrame({"g": range(6), "y": much * y, "t": 2.0 * much, "r": list("nnsswe")})
    data = hs.GroupedData.from_events(frame, group="g", events="y", exposure="t", factors=["r"])
    fit = model.fit(data, seed=1, engine="stanli", warmup=100, draws=20, chains=1, progress=False)
    u, sd = np.zeros((3, 4)), np.array([[0.2], [1.0], [9.0]])
    hyper = {"mu": np.array([0.5, 0.7, -1.0]), "u": u, "tau_level": sd, "beta": np.zeros((3, 0))}
    tau = np.array([0.3, 0.5, 0.15]) if model.has_population else np.zeros(3)
    hyper |= {"tau": tau} if model.has_population else {}
    found = levels._over_the_level(fit, "r", data.only_groups(np.array([0, 1])), hyper)
    deviation = np.linspace(-9, 9, 401)
    for s in range(3):
        center = np.linspace(
            -3, 4, 1401 if model.has_population else 14_001
        )  # of the level's groups
        each = np.zeros_like(center)
        for count in much * y[:2]:
            at = center if tau[s] == 0 else center + tau[s] * deviation[:, None]
            density = stats.poisson.logpmf(count, 2.0 * much * np.exp(at))
            if tau[s] > 0:
                weight = stats.norm.logpdf(deviation) + np.log(0.045)
                density = special.logsumexp(density + weight[:, None], axis=0)
            each += density
        prior = stats.norm.logpdf(center, hyper["mu"][s], sd[s, 0])
        exact = special.logsumexp(each + prior) + np.log(center[1] - center[0])
        assert found[s] == pytest.approx(exact, abs=2e-3)


def test_a_fit_without_the_factor_cannot_be_compared_by_its_levels() -> None:
    fits = {
        name: hs.PartialPooling(factors=factors).fit(
            structured_data("normal"), seed=1, warmup=200, draws=50, engine="stanli", progress=False
        )
        for name, factors in (("all", None), ("without region", []))
    }
    with pytest.raises(hs.HierstanError, match="region .* 'without region' was fitted without it"):
        hs.compare(fits, unit="region")

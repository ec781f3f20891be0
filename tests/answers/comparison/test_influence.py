"""The population without each group, against the closed form and against fits without it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import hierstan as hs

OPTIONS = {"engine": "stanli", "progress": False}
PRIORS = {"mu": hs.Normal(0, 10), "tau": hs.HalfNormal(10)}


@functools.cache
def schools() -> hs.GroupedData:
    frame = hs.load_dataset("eight_schools")
    return hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")


@functools.cache
def fitted(seed: int = 1, pooling: type = hs.PartialPooling) -> hs.Fit:
    names = pooling().prior_names(schools())
    priors = {name: prior for name, prior in PRIORS.items() if name in names}
    return pooling(priors=priors).fit(schools(), seed=seed, draws=2000, **OPTIONS)


def exact(label: str) -> tuple[float, float]:
    """Posterior means of mu and tau without a school, by quadrature over tau."""
    frame = hs.load_dataset("eight_schools").query("school != @label")
    y, v = frame["effect"].to_numpy(float), frame["se"].to_numpy(float) ** 2
    tau = np.linspace(0, 80, 16001)[:, None]
    w = 1 / (v + tau**2)
    precision = w.sum(axis=1) + 1 / 100
    mean = (w * y).sum(axis=1) / precision
    log = 0.5 * np.log(w).sum(axis=1) - 0.5 * np.log(precision)
    log += 0.5 * precision * mean**2 - 0.5 * (w * y**2).sum(axis=1)
    log += hs.HalfNormal(10).log_density(tau[:, 0])
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return float(weight @ mean), float(weight @ tau[:, 0])


def test_it_is_the_posterior_without_the_group() -> None:
    table, fit = hs.influence(fitted()), fitted()
    assert (table["pareto_k"] < 0.7).all()
    for label in schools().groups:
        mu, tau = exact(label)
        # 8,000 draws, of which weights and autocorrelation leave a thousand or more
        assert table.loc[label, "mu"] == pytest.approx(
            mu, abs=4 * fit.draws("mu").std() / 1000**0.5
        )
        assert table.loc[label, "tau"] == pytest.approx(
            tau, abs=4 * fit.draws("tau").std() / 1000**0.5
        )
    shift = (table["mu"] - fit.draws("mu").mean()) / fit.draws("mu").std(ddof=1)
    np.testing.assert_allclose(table["mu_shift"], shift)
    assert (table["mu_lower"] < table["mu"]).all()
    assert (table["mu"] < table["mu_upper"]).all()


def test_complete_pooling_is_the_weighted_mean_of_the_others() -> None:
    table, frame = hs.influence(fitted(pooling=hs.CompletePooling), prob=0.8), schools().to_frame()
    assert [name for name in table if name.startswith("tau")] == []
    precision = 1 / frame["se"] ** 2
    for label in schools().groups:
        rest = precision.drop(label)
        total = rest.sum() + 1 / 100
        mean, sd = (rest * frame["estimate"].drop(label)).sum() / total, total**-0.5
        assert table.loc[label, "mu"] == pytest.approx(mean, abs=4 * sd / 1000**0.5)
        width = table.loc[label, "mu_upper"] - table.loc[label, "mu_lower"]
        assert width == pytest.approx(2 * 1.2816 * sd, rel=0.12)


def test_what_it_refuses() -> None:
    alone = hs.NoPooling().fit(schools(), seed=1, chains=1, draws=100, **OPTIONS)
    prior = hs.PartialPooling().fit(schools(), seed=1, prior_only=True, chains=1, **OPTIONS)
    for fit in (alone, prior):
        with pytest.raises(hs.HierstanError, match="influence asks what a group does"):
            hs.influence(fit)

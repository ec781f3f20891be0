"""Which expectations are infinite, by what priors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.fit.infinite_means import infinite_because

LIGHT, EDGE, WIDE = hs.HalfNormal(0.9), hs.HalfNormal(1), hs.HalfNormal(1.1)


def events(y=(3, 5, 2), **priors: hs.Normal) -> hs.Fit:
    frame = pd.DataFrame({"g": range(len(y)), "y": y})
    data = hs.GroupedData.from_events(frame, group="g", events="y")
    return quick(hs.PartialPooling(priors=priors), data)


def quick(model, data, **options: bool) -> hs.Fit:
    return model.fit(
        data, seed=1, engine="stanli", chains=1, warmup=100, draws=100, progress=False, **options
    )


@pytest.mark.parametrize(
    ("tau", "finite"),
    [
        (LIGHT, True),
        (EDGE, True),
        (WIDE, False),
        (hs.TruncatedNormal(2, 0.9), True),
        (hs.TruncatedNormal(0.5, 1.1), False),
        (hs.HalfCauchy(0.1), False),
        (hs.HalfStudentT(10, 0.1), False),
        (hs.Exponential(10), False),
        (hs.Gamma(2, 10), False),
        (hs.LogNormal(-2, 0.1), False),
    ],
)
def test_new_groups_on_a_log_link(tau, finite: bool) -> None:
    fit = events(tau=tau)
    assert infinite_because(fit, new_group=True) == ("" if finite else f"tau ~ {tau}")
    assert infinite_because(fit) == ""


def test_the_edge_needs_data() -> None:
    assert infinite_because(events((0, 0, 4), tau=EDGE), new_group=True) == "tau ~ HalfNormal(1)"
    assert infinite_because(events((0, 2, 4), tau=EDGE), new_group=True) == ""


def test_second_moments_need_half_the_scale() -> None:
    assert infinite_because(events(tau=hs.HalfNormal(0.5)), order=2, new_group=True) == ""
    assert infinite_because(events(tau=hs.HalfNormal(0.6)), order=2, new_group=True) != ""


def test_a_heavy_tailed_mu() -> None:
    heavy = {"mu": hs.Cauchy(0, 1)}
    assert infinite_because(events(tau=hs.HalfNormal(0.5), **heavy), new_group=True) == ""
    assert infinite_because(events(tau=EDGE, **heavy), new_group=True) == "mu ~ Cauchy(0, 1)"


@pytest.mark.parametrize(
    ("prior", "finite"), [(LIGHT, True), (WIDE, False), (hs.HalfCauchy(1), False)]
)
def test_lognormal_rows(prior, finite: bool) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": np.repeat([1, 2, 3], 5), "y": rng.lognormal(size=15)})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="lognormal")
    for model in (hs.CompletePooling, hs.NoPooling, hs.PartialPooling):
        fit = quick(model(priors={"sigma": prior}), data)
        assert infinite_because(fit) == ("" if finite else f"sigma ~ {prior}")


def test_no_pooling_and_other_links() -> None:
    frame = pd.DataFrame({"g": [1, 2], "y": [3, 4], "of": [9, 9]})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="of")
    model = hs.PartialPooling(priors={"tau": hs.HalfCauchy(1)})
    assert infinite_because(quick(model, data), order=2, new_group=True) == ""
    known = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="of")
    for prior, moments in ((hs.Cauchy(0, 1), 0), (hs.StudentT(2, 0, 1), 1), (hs.Normal(0, 1), 2)):
        fit = quick(hs.NoPooling(priors={"theta": prior}), known)
        found = [not infinite_because(fit, order=order, new_group=True) for order in (1, 2)]
        assert sum(found) == moments


def test_the_rule_is_what_the_integral_does() -> None:
    """E exp(tau^2 / 2) under tau^-m and a half-normal prior, over a growing range."""
    upto = np.array([20.0, 40.0])
    for scale, power, finite in ((0.9, 0, True), (1.0, 0, False), (1.0, 2, True), (1.1, 5, False)):
        total = []
        for end in upto:
            tau = np.linspace(1, end, 200_001)
            log = tau**2 / 2 - tau**2 / (2 * scale**2) - power * np.log(tau)
            total.append(np.exp(log).sum() * (tau[1] - tau[0]))
        assert (total[1] < 1.05 * total[0]) == finite


def in_arms(model: hs.PartialPooling) -> hs.Fit:
    frame = pd.DataFrame({"g": list("abcd") * 2, "arm": ["old"] * 4 + ["new"] * 4})
    frame["y"] = [3, 5, 2, 4, 6, 5, 4, 9]
    data = hs.GroupedData.from_trial(frame, group="g", arm="arm", control="old", events="y")
    return quick(model, data)


@pytest.mark.parametrize(
    ("priors", "guilty"),
    [
        ({}, "slope"),
        ({"spread": WIDE}, "spread"),
        ({"slope": hs.Uniform(-1, 0.5), "tau": hs.HalfNormal(0.6)}, ""),
        ({"slope": hs.Uniform(-1, 0.5), "tau": hs.HalfNormal(0.7)}, "tau"),  # 0.7 (1 + 0.5) > 1
        ({"slope": hs.Uniform(-1.5, 0), "tau": hs.HalfNormal(0.7)}, "tau"),
    ],
)
def test_new_groups_with_two_arms(priors: dict, guilty: str) -> None:
    fit = in_arms(hs.PartialPooling(priors=priors))
    found = infinite_because(fit, new_group=True)
    assert found.partition(" ~")[0] == guilty
    assert infinite_because(fit) == ""
    # with the baseline known, the effect varies by tau at most
    assert infinite_because(fit, new_group=True, baseline_known=True) == ""


def test_predictions_of_new_groups_with_two_arms_say_so() -> None:
    fit = in_arms(hs.PartialPooling())
    with pytest.warns(hs.HierstanWarning, match="infinite under the prior slope ~ Normal"):
        found = hs.predict(fit, new_groups=1, seed=1).summary
    assert np.isinf(found["mean"].iloc[0])
    known = hs.predict(fit, new_groups=1, baseline=4.0, seed=1).summary
    assert np.isfinite(known["mean"].iloc[0])
    assert infinite_because(in_arms(hs.CompletePooling()), new_group=True) == ""


def test_zeros_alone_bound_no_mean_where_any_may_be_extra() -> None:
    """Their likelihood stays above the share of extra zeros however large the mean."""
    y = np.r_[np.zeros(10, dtype=int), np.tile([0, 2, 4, 3, 0], 4)]
    frame = pd.DataFrame({"g": np.repeat(list("abc"), 10), "y": y})
    marked = {}
    for family in ("poisson", "zero_inflated_poisson"):
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
        fit = quick(hs.PartialPooling(priors={"tau": LIGHT}), data)
        marked[family] = np.isinf(hs.predict(fit).summary["sd"]).tolist()
    assert marked == {
        "poisson": [False, False, False],
        "zero_inflated_poisson": [True, False, False],
    }


def test_new_levels_need_a_prior_that_falls_too() -> None:
    frame = pd.DataFrame({"region": list("nnsseeww"), "device": list("ab") * 4, "y": range(1, 9)})
    data = hs.GroupedData.from_events(frame, group=["region", "device"], events="y")
    wide = {"tau": hs.HalfNormal(0.4), "tau_device": hs.HalfNormal(0.4), "tau_region": WIDE}
    fit = quick(hs.PartialPooling(priors=wide), data)
    assert infinite_because(fit, new_group=True) == f"tau_region ~ {WIDE}"
    assert infinite_because(fit, new_group=True, levels_known=True) == ""
    assert infinite_because(fit) == ""


def test_only_what_is_not_known_of_a_cell_makes_its_mean_infinite() -> None:
    frame = pd.DataFrame({"region": list("nnsse"), "device": list("ababa"), "y": range(1, 6)})
    data = hs.GroupedData.from_events(frame, group=["region", "device"], events="y")
    priors = {"tau": hs.HalfNormal(0.4), "tau_device": hs.HalfNormal(0.4), "tau_region": WIDE}
    fit = quick(hs.PartialPooling(priors=priors), data)
    cells = pd.DataFrame({"region": list("nnex"), "device": list("abba"), "weight": 1})
    by_region = hs.poststratify(fit, cells, by="region")
    known = hs.poststratify(fit, cells[:3], by="region")
    empty = hs.poststratify(fit, cells.assign(weight=[1, 1, 1, 0]))
    assert np.isinf(by_region["mean"]).tolist() == [False, False, True]
    assert np.isfinite(known).all(axis=None)
    assert np.isinf(by_region["sd"]).tolist() == [False, False, True]
    assert np.isfinite(by_region[["lower", "upper"]]).all(axis=None)
    assert f"the prior tau_region ~ {WIDE}" in by_region.attrs["advice"]
    assert np.isfinite(empty).all(axis=None)
    new = cells[["region", "device"]].assign(exposure=1.0)
    assert np.isfinite(hs.predict(fit, new[2:3]).summary).all(axis=None)
    with pytest.warns(hs.HierstanWarning, match="infinite under the prior tau_region"):
        assert np.isinf(hs.predict(fit, new[3:]).summary["mean"]).all()

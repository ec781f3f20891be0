"""Group means and the ledger of shrinkage: against published cases, closed forms and the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from schools import eight_schools as schools
from two_arms import unpaired

import hierstan as hs
from hierstan.fit import group_summaries, information

REFERENCE = Path(__file__).parents[2] / "reference_cases"
COLUMNS = [
    "raw", "raw_se", "mean", "sd", "lower", "upper",
    "pooling_factor", "moved", "toward", "borrowed", "n",
]  # fmt: skip


def fitted(data: hs.GroupedData, model: object | None = None, **options: object) -> hs.Fit:
    model = model or hs.PartialPooling()
    return model.fit(data, **{"seed": 1, "engine": "stanli", "progress": False} | options)


def estimates(y: list[float], se: list[float] | float) -> hs.GroupedData:
    frame = pd.DataFrame({"site": [f"s{j}" for j in range(len(y))], "y": y, "se": se})
    return hs.GroupedData.from_estimates(frame, group="site", estimate="y", se="se")


def counts(k: list[int], n: list[int]) -> hs.GroupedData:
    frame = pd.DataFrame({"page": [f"p{j}" for j in range(len(k))], "k": k, "n": n})
    return hs.GroupedData.from_counts(frame, group="page", successes="k", trials="n")


def mcse(fit: hs.Fit, draws: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo standard error of the means of draws (S, ...)."""
    import arviz_stats as azs

    shaped = draws.reshape(fit.options["chains"], -1, *draws.shape[1:])
    dims = ["chain", "draw", "k"][: shaped.ndim]
    return azs.mcse(xr.Dataset({"x": (dims, shaped)}), method="mean")["x"].to_numpy()


# the reference cases ------------------------------------------------------------------------------

T4 = hs.HalfStudentT(4, 3.70347)
CASES = {
    "aspirin": ("aspirin_jackman", "y", "se", None, hs.Normal(1.805, 7.40694), T4),
    "schools": ("eight_schools_posteriordb", "y", "se", None, hs.Normal(0, 5), hs.HalfCauchy(5)),
    "rubin": ("rubin1981_bayesmeta", "y", "se", "ex1", hs.Normal(0, 50), hs.HalfCauchy(25)),
    "bcg": (
        "bcg_metafor", "logRR", "se_logRR", "full_bayes logRR mu~Normal(0,2), tau~HalfNormal(1)",
        hs.Normal(0, 2), hs.HalfNormal(1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 20])
def test_pooling_factors_and_means_of_the_reference_cases(case: str, seed: int) -> None:
    name, y, se, variant, mu, tau = CASES[case]
    stored = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    exact = stored["exact"] if variant is None else stored["exact"][variant]
    data = estimates(stored["data"][y], stored["data"][se])
    fit = fitted(data, hs.PartialPooling(priors={"mu": mu, "tau": tau}), seed=seed)
    table = hs.shrinkage(fit)

    V = np.square(stored["data"][se])
    draws = V / (V + fit.draws("tau")[:, None] ** 2)
    off = np.abs(table["pooling_factor"] - exact["pooling_factor_mean"]) / mcse(fit, draws)
    assert off.max() < 4

    means = [theta["mean"] for theta in exact["theta"]]
    off = np.abs(table["mean"] - means) / mcse(fit, fit.draws("theta"))
    assert off.max() < 4
    np.testing.assert_array_equal(table["raw"], stored["data"][y])
    np.testing.assert_array_equal(table["raw_se"], stored["data"][se])


# the columns --------------------------------------------------------------------------------------


def test_the_ledger_adds_up() -> None:
    fit = fitted(schools())
    table = hs.shrinkage(fit, prob=0.8)
    assert table.columns.tolist() == COLUMNS
    assert table.index.name == fit.data.columns["group"]
    assert table.index.tolist() == list("ABCDEFGH")
    theta = fit.draws("theta")
    np.testing.assert_allclose(table["mean"], theta.mean(axis=0))
    np.testing.assert_allclose(table["sd"], theta.std(axis=0, ddof=1))
    np.testing.assert_allclose(table[["lower", "upper"]].T, np.quantile(theta, [0.1, 0.9], axis=0))
    np.testing.assert_allclose(table["moved"], table["mean"] - table["raw"])
    directions = table["toward"]
    assert directions[["A", "G", "H"]].tolist() == ["down"] * 3
    assert directions[["C", "E", "F"]].tolist() == ["up"] * 3
    still = table["moved"].abs() < 0.05 * table["sd"]
    assert (directions == "none").equals(still)
    assert still.sum() <= 1  # B, which has the population's mean already
    assert table["n"].tolist() == [1] * 8
    assert table.attrs["unit"] == "estimates"
    assert "equal-tailed 80% interval" in table.attrs["caption"]
    assert "partial pooling" in table.attrs["caption"]


def test_what_a_group_borrows_given_tau_is_bayes_rule_for_two_normals() -> None:
    fit = fitted(schools())
    V = np.array([15, 10, 16, 11, 9, 11, 10, 18.0]) ** 2
    by_tau = []
    for tau2 in fit.draws("tau") ** 2:
        # joint posterior precision of (theta_1, ..., theta_8, mu), mu with a flat prior
        precision = np.diag([*(1 / V + 1 / tau2), 8 / tau2])
        precision[-1, :-1] = precision[:-1, -1] = -1 / tau2
        by_tau.append(np.diag(np.linalg.inv(precision))[:-1] / V)
        if len(by_tau) == 300:
            break
    fit.idata["posterior"] = fit.idata["posterior"].to_dataset().isel(chain=[0], draw=slice(0, 300))
    expected = 1 / np.mean(by_tau, axis=0) - 1
    np.testing.assert_allclose(hs.shrinkage(fit)["borrowed"], expected, rtol=1e-6)


def test_complete_pooling_borrows_all_there_is_and_no_pooling_nothing() -> None:
    n = [10, 300, 45, 1]
    data = counts([3, 80, 9, 0], n)
    complete = hs.shrinkage(fitted(data, hs.CompletePooling()))
    assert (complete["pooling_factor"] == 1).all()
    np.testing.assert_allclose(complete["borrowed"], 356 - np.array(n))
    assert complete["mean"].nunique() == 1
    assert "complete pooling" in complete.attrs["caption"]

    none = hs.shrinkage(fitted(data, hs.NoPooling()))
    assert (none["pooling_factor"].iloc[:3] < 0.01).all()
    assert none["pooling_factor"].iloc[3] > 0.5  # 0 of 1: what its prior says
    assert (none["borrowed"] == 0).all()
    assert "under no pooling" in none.attrs["caption"]
    assert none["n"].tolist() == n
    assert none["n"].dtype.kind == "i"
    assert none.attrs["unit"] == "trials"


def test_borrowing_is_bounded_by_what_the_others_have() -> None:
    table = hs.shrinkage(fitted(counts([3, 80, 9, 0], [10, 300, 45, 1])))
    assert (table["borrowed"] > 0).all()
    assert (table["borrowed"] < 2 * 356).all()  # an observation tells more where the rate is low
    assert table["pooling_factor"].idxmax() == "p3"  # one trial
    assert table["pooling_factor"].idxmin() == "p1"  # 300


@pytest.mark.parametrize("scale", ["response", "link"])
def test_scales(scale: str) -> None:
    fit = fitted(counts([3, 80, 9, 0], [10, 300, 45, 20]))
    table, theta = hs.shrinkage(fit, scale=scale), fit.draws("theta")
    values = 1 / (1 + np.exp(-theta)) if scale == "response" else theta
    np.testing.assert_allclose(table["mean"], values.mean(axis=0))
    raw = 80 / 300 if scale == "response" else np.log(80.5 / 220.5)
    assert table.loc["p1", "raw"] == pytest.approx(raw)
    words = "rate" if scale == "response" else "log-odds"
    assert f"group's {words} under" in table.attrs["caption"]
    # what pooling does is the same on both
    other = hs.shrinkage(fit, scale="link" if scale == "response" else "response")
    pd.testing.assert_frame_equal(
        table[["pooling_factor", "borrowed", "n"]], other[["pooling_factor", "borrowed", "n"]]
    )


@pytest.mark.parametrize(("family", "words"), [("lognormal", "log median"), ("gamma", "log mean")])
def test_the_caption_names_what_is_estimated(family: str, words: str) -> None:
    frame = pd.DataFrame({"g": list("aabbcc"), "y": [1.0, 2, 3, 4, 2, 3]})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    fit = fitted(data, draws=100)
    assert f"group's {words} under" in hs.group_means(fit, scale="link").attrs["caption"]
    assert f"group's {words[4:]} under" in hs.group_means(fit).attrs["caption"]


# groups at the edge -------------------------------------------------------------------------------


def test_groups_without_a_success_or_a_failure_and_groups_of_one() -> None:
    table = hs.shrinkage(fitted(counts([0, 12, 0, 1, 40], [12, 12, 1, 1, 90])))
    numbers = table.drop(columns="toward")
    assert np.isfinite(numbers.to_numpy(float)).all()
    assert table.loc["p0", "toward"] == table.loc["p2", "toward"] == "up"
    assert table.loc["p1", "toward"] == table.loc["p3", "toward"] == "down"
    assert table.loc["p2", "pooling_factor"] > table.loc["p0", "pooling_factor"]
    assert (table[["lower", "mean", "upper"]].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


def test_groups_without_an_event() -> None:
    frame = pd.DataFrame({"g": [1, 2, 3], "events": [0, 9, 4], "hours": [0.5, 3.25, 2.0]})
    data = hs.GroupedData.from_events(frame, group="g", events="events", exposure="hours")
    table = hs.shrinkage(fitted(data))
    assert np.isfinite(table.drop(columns="toward").to_numpy(float)).all()
    assert table.loc[1, "raw"] == 0
    assert table.loc[1, "toward"] == "up"
    assert table["n"].tolist() == [0.5, 3.25, 2.0]
    assert table.attrs["unit"] == "exposure"


@pytest.mark.parametrize(
    "family", ["normal", "student_t", "lognormal", "gamma", "neg_binomial", "poisson", "bernoulli"]
)
def test_a_group_with_one_row_is_pooled_most(family: str) -> None:
    rng = np.random.default_rng(5)
    sizes = [1, 4, 30]
    y = rng.poisson(4, 35) + 1.0 if family != "bernoulli" else rng.binomial(1, 0.4, 35)
    if family in ("neg_binomial", "poisson"):
        y = y.astype(int)
    frame = pd.DataFrame({"g": np.repeat(["one", "few", "many"], sizes), "y": y})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    table = hs.shrinkage(fitted(data))
    assert table["n"].tolist() == sizes
    assert table.attrs["unit"] == ("exposure" if family == "poisson" else "rows")
    assert table["pooling_factor"].is_monotonic_decreasing
    assert np.isfinite(table.drop(columns="toward").to_numpy(float)).all()


# a known truth ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_simulated_groups_get_the_pooling_factor_of_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    J, tau = 200, 0.6
    theta = rng.normal(-1, tau, J)
    n = rng.integers(5, 80, J)
    k = rng.binomial(n, 1 / (1 + np.exp(-theta)))
    table = hs.shrinkage(fitted(counts(k.tolist(), n.tolist()), draws=500))
    p = 1 / (1 + np.exp(-theta))
    V = 1 / (n * p * (1 - p))
    truth = V / (V + tau**2)
    assert abs(table["pooling_factor"].mean() - truth.mean()) < 0.08
    assert np.corrcoef(table["pooling_factor"], truth)[0, 1] > 0.9
    # pooled means are closer to the truth than raw ones
    assert ((table["mean"] - p) ** 2).mean() < ((table["raw"] - p) ** 2).mean()


# group means --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
@pytest.mark.parametrize("prior_only", [False, True])
def test_group_means_of_every_fit(model: type, prior_only: bool) -> None:
    fit = fitted(counts([3, 80, 9, 0], [10, 300, 45, 20]), model(), prior_only=prior_only)
    table = hs.group_means(fit, prob=0.5)
    assert table.columns.tolist() == ["mean", "sd", "lower", "upper"]
    assert table.index.name == fit.data.columns["group"]
    assert table.index.equals(fit.data.groups)
    p = 1 / (1 + np.exp(-fit.draws("theta")))
    np.testing.assert_allclose(table["mean"], p.mean(axis=0))
    np.testing.assert_allclose(table["upper"], np.quantile(p, 0.75, axis=0))
    assert table.attrs["caption"].startswith("Prior" if prior_only else "Posterior")
    if prior_only:  # the data do not show
        assert table["mean"].std() < 0.05


def test_wide_priors_on_a_log_scale_do_not_overflow() -> None:
    frame = pd.DataFrame({"g": [1, 2, 3], "events": [0, 9, 4]})
    data = hs.GroupedData.from_events(frame, group="g", events="events")
    model = hs.PartialPooling(priors={"mu": hs.Normal(0, 500), "tau": hs.HalfNormal(500)})
    table = hs.group_means(fitted(data, model, prior_only=True))
    assert not table[["mean", "lower", "upper"]].isna().any(axis=None)


def test_many_groups_go_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:

    fit = fitted(schools())
    whole = hs.shrinkage(fit)
    for room in (information, group_summaries):
        monkeypatch.setattr(room, "BLOCK", 12_000)
    pd.testing.assert_frame_equal(hs.shrinkage(fit), whole)


def test_labels_stay_what_they_are() -> None:
    frame = pd.DataFrame({"g": [("UK", 1), ("US", 2), 3], "y": [1.0, 2, 3], "se": 1.0})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    table = hs.shrinkage(fitted(data, draws=100))
    assert table.index.tolist() == [("UK", 1), ("US", 2), 3]


# refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prob", [0, 1, 90, -0.1, "0.9", True, float("nan")])
def test_impossible_probabilities(prob: object) -> None:
    fit = fitted(schools(), draws=50)
    for table in (hs.group_means, hs.shrinkage):
        with pytest.raises(hs.HierstanError, match=r"between 0 and 1, such as 0\.9, but got"):
            table(fit, prob=prob)


def test_unknown_scales_and_fits_of_the_prior() -> None:
    fit = fitted(schools(), draws=50)
    for table in (hs.group_means, hs.shrinkage):
        with pytest.raises(hs.HierstanError, match="must be 'response' or 'link', but got 'odds'"):
            table(fit, scale="odds")
    with pytest.raises(hs.HierstanError, match=r"never saw the data.*group_means\(fit\)"):
        hs.shrinkage(fitted(schools(), draws=50, prior_only=True))


def test_no_pooling_tells_what_its_prior_weighs() -> None:
    se = np.array([1.0, 10.0])
    frame = pd.DataFrame({"g": ["a", "b"], "y": [1.0, 15.0], "se": se})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    tight = hs.shrinkage(fitted(data, hs.NoPooling(priors={"theta": hs.Normal(0, 5)})))
    assert tight["pooling_factor"].tolist() == pytest.approx(list(se**2 / (se**2 + 25)), rel=0.01)
    assert (hs.shrinkage(fitted(data, hs.NoPooling()))["pooling_factor"] < 1e-3).all()


@pytest.mark.parametrize("scale", ["response", "link"])
def test_a_group_with_one_arm_has_no_raw_effect(scale: str) -> None:
    line = hs.shrinkage(unpaired(), scale=scale).loc["c"]
    assert np.isnan([line["raw"], line["moved"]]).all()
    assert np.isinf(line["raw_se"])
    assert (line["toward"], line["pooling_factor"]) == ("none", 1.0)

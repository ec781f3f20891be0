"""Predictions: against closed forms, by simulation, and out of an edited template."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import deciding
import numpy as np
import pandas as pd
import pytest
from deciding import baseball_fits, school_fits, schools
from scipy import stats
from two_arms import unpaired

import hierstan as hs

ROWS = ["normal", "student_t", "lognormal", "gamma", "poisson", "neg_binomial", "bernoulli"]


def rows(family: str, seed: int = 1) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    y = {"bernoulli": rng.binomial(1, 0.4, 60), "poisson": rng.poisson(4, 60)}
    y["neg_binomial"] = y["poisson"]
    frame = pd.DataFrame(
        {"g": np.repeat(list("abcdef"), 10), "y": y.get(family, rng.gamma(4, 1, 60))}
    )
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def fitted(family: str, pooling: type = hs.PartialPooling, **priors: object) -> hs.Fit:
    return pooling(priors=priors).fit(rows(family), seed=1, engine="stanli", progress=False)


def test_known_groups_of_no_pooling_are_exact() -> None:
    prediction = hs.predict(school_fits()["none"], se=3.0, prob=0.8)
    frame = hs.load_dataset("eight_schools")
    precision = 1 / frame["se"] ** 2 + 1 / 10**2
    exact = stats.norm(frame["effect"] / frame["se"] ** 2 / precision, np.sqrt(1 / precision + 9))
    error = exact.std() / np.sqrt(2000)
    table = prediction.summary
    assert (np.abs(table["mean"].to_numpy() - exact.mean()) < 4 * error).all()
    np.testing.assert_allclose(table["sd"], exact.std(), rtol=0.06)
    np.testing.assert_allclose(table["lower"], exact.ppf(0.1), atol=0.9)
    np.testing.assert_allclose(table["upper"], exact.ppf(0.9), atol=0.9)
    assert table.columns.tolist() == ["mean", "sd", "lower", "upper"]
    assert table.index.name == "school"
    assert "80%" in table.attrs["caption"]


def test_new_groups_come_from_the_population() -> None:
    fit, exact = school_fits()["partial"], deciding.reference("eight_schools_posteriordb")
    draws = hs.predict(fit, new_groups=50, se=0.001).draws
    assert draws.mean() == pytest.approx(exact["theta_new"]["mean"], abs=0.4)
    spread = draws.quantile([0.25, 0.75]).to_numpy()
    np.testing.assert_allclose(
        spread, [exact["theta_new"]["q25"], exact["theta_new"]["q75"]], atol=0.4
    )
    # given mu and tau, new groups differ: they are no copies of one theta_new
    assert (
        abs(np.corrcoef(draws[..., 0].to_numpy().ravel(), draws[..., 1].to_numpy().ravel())[0, 1])
        < 0.9
    )
    complete = hs.predict(school_fits()["complete"], new_groups=2, se=0.001).draws.to_numpy()
    np.testing.assert_allclose(complete[..., 0], complete[..., 1], atol=0.02)
    none = hs.predict(school_fits()["none"], new_groups=20, se=0.001).draws
    assert none.std() == pytest.approx(10, rel=0.02)  # the prior


def test_what_is_asked_for_is_labelled() -> None:
    fit = baseball_fits()["partial"]
    prediction = hs.predict(fit, groups=["Munson", "Clemente"], new_groups=["Bench"], trials=400)
    assert prediction.draws.dims == ("chain", "draw", "group")
    assert prediction.draws.dtype == np.int64
    assert prediction.draws["group"].to_numpy().tolist() == ["Munson", "Clemente", "Bench"]
    assert prediction.design["trials"].tolist() == [400] * 3
    assert prediction.design["new"].tolist() == [False, False, True]
    mean = hs.group_means(fit)["mean"]
    assert prediction.summary.loc["Clemente", "mean"] == pytest.approx(
        400 * mean["Clemente"], rel=0.02
    )
    assert (prediction.summary[["lower", "upper"]] % 1 == 0).all(axis=None)
    several = hs.predict(fit, groups=["Munson"], trials=10, rows=3)
    assert several.draws.sel(group="Munson").sizes["group"] == 3
    assert "3 observations" in repr(several)


def test_sizes_come_by_label_in_order_or_from_the_data() -> None:
    fit = baseball_fits()["complete"]
    by_label = hs.predict(fit, groups=["Munson", "Alvis"], trials={"Alvis": 5, "Munson": 6})
    in_order = hs.predict(fit, groups=["Munson", "Alvis"], trials=[6, 5])
    assert by_label.design["trials"].tolist() == in_order.design["trials"].tolist() == [6, 5]
    by_default = hs.predict(school_fits()["partial"], new_groups=1).design
    assert by_default["se"].tolist() == [11.0]
    assert (
        hs.predict(school_fits()["partial"]).design["se"].tolist() == schools().cells["se"].tolist()
    )


def test_seeds() -> None:
    fit = school_fits()["partial"]
    first, again, other = (hs.predict(fit, new_groups=1, seed=seed).draws for seed in (5, 5, 6))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["complete", "none", "partial"])
def test_predictions_have_random_numbers_of_their_own(pooling: str) -> None:
    # given the groups' means, two outcomes are independent: so are two calls, of one group or of
    # two, and of two fits with one seed
    data = schools()
    other = dataclasses.replace(
        data, cells=(cells := data.cells.assign(y=-data.cells["y"])), rows=cells
    )
    models = {"complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling}
    fit, elsewhere, again = (
        models[pooling]().fit(one, seed=1, engine="stanli", progress=False)
        for one in (data, other, data)
    )

    def noise(fit: hs.Fit, label: str, **options: object) -> np.ndarray:
        drawn = hs.predict(fit, groups=[label], se=10.0, **options).draws.to_numpy().ravel()
        return (drawn - fit.theta()[:, list(fit.data.groups).index(label)]) / 10

    calls = [noise(fit, "A"), noise(fit, "A"), noise(fit, "B"), noise(elsewhere, "A")]
    apart = np.corrcoef(calls)[np.triu_indices(4, 1)]
    assert np.abs(apart).max() < 4.5 / np.sqrt(calls[0].size)
    np.testing.assert_array_equal(noise(again, "A"), calls[0])  # a script that is run again
    np.testing.assert_array_equal(noise(again, "A"), calls[1])
    np.testing.assert_array_equal(noise(fit, "A", seed=3), noise(again, "A", seed=3))
    new = [hs.predict(fit, new_groups=[name], se=0.01).draws.to_numpy().ravel() for name in "xy"]
    if pooling == "none":
        assert abs(np.corrcoef(new)[0, 1]) < 4.5 / np.sqrt(new[0].size)
    if pooling == "partial":  # independent given mu and tau
        z = (np.array(new) - fit.draws("mu")) / fit.draws("tau")
        assert abs(np.corrcoef(stats.norm.cdf(z))[0, 1]) < 4.5 / np.sqrt(new[0].size)


@pytest.mark.parametrize("mean", [3e8, 4e9, 3e12, 1e22])
def test_large_counts_are_predicted_right(mean: float) -> None:
    frame = pd.DataFrame({"g": list("abc"), "y": [20_000, 20_200, 19_900]})
    data = hs.GroupedData.from_events(frame, group="g", events="y")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    found = hs.predict(fit, exposure=mean / 20_000)
    rate = np.exp(fit.theta()) * mean / 20_000
    sd = np.sqrt(rate.var(axis=0) + rate.mean(axis=0))
    off = (found.summary["mean"] - rate.mean(axis=0)) / (sd / np.sqrt(len(rate)))
    assert (off.abs() < 4.5).all()
    np.testing.assert_allclose(found.summary["sd"], sd, rtol=0.06)
    assert (found.draws.to_numpy() == np.rint(found.draws.to_numpy())).all()
    whole = "i" if mean < 1e18 else "f"
    assert found.draws.dtype.kind == whole
    noise = (found.draws.to_numpy().reshape(rate.shape) - rate) / np.sqrt(rate)
    if mean < 1e18:  # beyond, doubles have no room for it
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("family", ["poisson", "neg_binomial"])
def test_replications_of_large_counts_are_as_large(family: str) -> None:
    rng = np.random.default_rng(1)
    rates = np.repeat([1.1e9, 1.3e9, 1.25e9], 20)
    if family == "neg_binomial":
        rates = rng.gamma(50, rates / 50)
    frame = pd.DataFrame({"g": np.repeat(list("abc"), 20), "y": rng.poisson(rates)})
    if family == "poisson":
        frame["g"] = np.arange(60)
        data = hs.GroupedData.from_events(frame, group="g", events="y")
    else:
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    replicated = fit.idata["posterior_predictive"]["y"].to_numpy().reshape(-1, 60)
    means = np.exp(fit.theta())[:, data.rows["group"]]
    within = means if family == "poisson" else means**2 / fit.draws("phi")[:, None]
    np.testing.assert_allclose(((replicated - means) ** 2 / within).mean(), 1, rtol=0.05)


def test_trials_beyond_the_integers_of_stan_are_refused() -> None:
    frame = pd.DataFrame({"g": list("ab"), "y": [3, 4], "n": [10, 10]})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", progress=False)
    with pytest.raises(hs.HierstanError, match="below 2,147,483,647"):
        hs.predict(fit, trials=3_000_000_000)
    assert hs.predict(fit, trials=2**31 - 2).draws.max() > 3e8


def test_labels_keep_their_type() -> None:
    frame = pd.DataFrame({"g": [("a", 1), ("b", 2)], "y": [3, 4], "n": [10, 20]})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", draws=100, progress=False)
    prediction = hs.predict(fit)
    assert prediction.summary.index.tolist() == [("a", 1), ("b", 2)]
    numbers = hs.GroupedData.from_counts(
        frame.assign(g=[3, 1]), group="g", successes="y", trials="n"
    )
    fit = hs.CompletePooling().fit(numbers, seed=1, engine="stanli", draws=100, progress=False)
    assert hs.predict(fit).summary.index.dtype == np.int64
    assert hs.predict(fit, new_groups=["x"], groups=[1]).summary.index.tolist() == [1, "x"]


@pytest.mark.parametrize("family", ROWS)
@pytest.mark.parametrize("pooling", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_every_family(family: str, pooling: type) -> None:
    fit = fitted(family, pooling)
    prediction = hs.predict(fit, groups=["a", "b"], new_groups=1, rows=2)
    assert prediction.summary.shape == (6, 4)
    assert not prediction.summary.isna().any(axis=None)
    repeat = hs.predict(fit, rows=10)
    observed = rows(family).rows["y"].mean()
    assert float(repeat.draws.mean()) == pytest.approx(observed, rel=0.25)


# expectations that do not exist ---------------------------------------------------------------


def test_infinite_means_are_said_and_not_estimated() -> None:
    fit = fitted("poisson", tau=hs.HalfCauchy(1))
    with pytest.warns(
        hs.HierstanWarning, match=r"infinite under the prior tau ~ HalfCauchy\(1\)"
    ) as caught:
        table = hs.predict(fit, groups=["a"], new_groups=1).summary
    assert caught[0].filename == __file__
    assert np.isfinite(table.loc["a"]).all()
    assert table.loc["new group 1", ["mean", "sd"]].tolist() == [np.inf, np.inf]
    assert np.isfinite(table[["lower", "upper"]]).all(axis=None)


def test_what_prints_says_why_a_standard_deviation_is_infinite() -> None:
    fit = fitted("student_t", nu=hs.Gamma(2, 0.5))
    told = hs.predict(fit, groups=["a"], new_groups=1)
    assert np.isinf(told.summary["sd"]).all()
    assert np.isfinite(told.summary.drop(columns="sd")).all(axis=None)
    words = " ".join(str(told).split())
    assert words.endswith(
        "Of known and new groups the standard deviation does not exist (inf): the prior nu ~ "
        "Gamma(2, 0.5) leaves tails too heavy for that. Read the interval, and the median: "
        "prediction.draws.median(('chain', 'draw'))."
    )
    assert words.endswith(told.summary.attrs["advice"])
    counts = fitted("poisson", tau=hs.HalfNormal(1))
    assert "advice" not in hs.predict(counts, groups=["a"]).summary.attrs
    new = hs.predict(counts, new_groups=1).summary
    assert new["mean"].item() < np.inf == new["sd"].item()
    assert "Of new groups the standard deviation does not exist (inf): the prior tau ~ " in str(new)


def test_wide_sigma_makes_every_lognormal_mean_infinite() -> None:
    fit = fitted("lognormal", sigma=hs.Exponential(1))
    with pytest.warns(hs.HierstanWarning, match=r"sigma ~ Exponential\(1\)"):
        assert (hs.predict(fit).summary["mean"] == np.inf).all()
    bounded = fitted("lognormal", sigma=hs.Uniform(0, 3))
    assert np.isfinite(hs.predict(bounded).summary).all(axis=None)


# an edited template ---------------------------------------------------------------------------


def test_an_edited_template_is_what_predicts(tmp_path: Path) -> None:
    folder = Path(hs.copy_templates(tmp_path / "stan"))
    family = folder / "families" / "normal_known.stan"
    text = family.read_text()
    old = "y_rep[n] = normal_rng(eta[n], se[n]);"
    assert old in text
    family.write_text(text.replace(old, "y_rep[n] = 1000 + eta[n];"))
    pooling = folder / "partial_pooling.stan"
    text = pooling.read_text()
    assert "theta ~ normal(mu, tau);" in text
    pooling.write_text(text.replace("theta ~ normal(mu, tau);", "theta ~ student_t(4, mu, tau);"))
    model = hs.PartialPooling(priors={"tau": hs.HalfNormal(5)}, template_dir=folder)
    fit = model.fit(schools(), seed=1, engine="stanli")
    prediction = hs.predict(fit, groups=["A"], new_groups=4)
    values = prediction.draws.to_numpy().reshape(-1, 5) - 1000
    np.testing.assert_allclose(values[:, 0], fit.draws("theta")[:, 0])
    z = (values[:, 1:] - fit.draws("mu")[:, None]) / fit.draws("tau")[:, None]
    assert stats.kstest(z.ravel(), stats.t(4).cdf).pvalue > 1e-4
    assert stats.kstest(z.ravel(), stats.norm.cdf).pvalue < 1e-4


# errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": ["Clemens"]}, r"no group 'Clemens'\. Did you mean 'Clemente'"),
        ({"groups": "Clemente"}, "groups= takes a list"),
        ({"groups": []}, "nothing to predict"),
        ({"new_groups": -1}, "cannot be negative"),
        ({"new_groups": ["Clemente"]}, "differ from each other and from the fit's groups"),
        ({"new_groups": "x"}, "a number or labels"),
        ({"new_groups": pd.DataFrame({"player": ["x"]})}, "with a line per group goes into new="),
        ({"se": 1.0}, "se= means nothing for binomial data: their observations take trials="),
        ({"trials": 0}, "trials= must be a whole number of trials"),
        ({"trials": 2.5}, "trials= must be a whole number of trials"),
        ({"trials": [1, 2]}, "one for each of the 18 groups"),
        ({"trials": {"Clemente": 3}}, "trials= says nothing about"),
        ({"rows": 0}, "rows= must be a whole number of observations"),
        ({"prob": 1.2}, "prob="),
        ({"seed": 0}, "seed="),
        ({"rows": 1_000_000}, "more than 50,000,000 values"),
    ],
)
def test_errors(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(hs.HierstanError, match=message):
        hs.predict(baseball_fits()["complete"], **arguments)


def test_new_data_are_of_the_same_family_and_say_it_all() -> None:
    fit = baseball_fits()["complete"]
    with pytest.raises(
        hs.DataError, match="fit is of binomial data, the new data are normal_known"
    ):
        hs.predict(fit, schools())
    with pytest.raises(hs.HierstanError, match="rows=, trials= cannot be given beside new data"):
        hs.predict(fit, deciding.baseball(), trials=3, rows=2)
    with pytest.raises(hs.DataError, match="must be a GroupedData"):
        hs.predict(fit, hs.load_dataset("baseball").to_dict())


def test_a_dataframe_with_a_group_twice_is_refused_with_the_cure() -> None:
    fit = fitted("poisson", hs.CompletePooling)
    with pytest.raises(hs.DataError, match="more than once: 'a'. .* are a GroupedData"):
        hs.predict(fit, pd.DataFrame({"g": list("abaa")}))


@pytest.mark.parametrize(("treated", "arm"), [(True, "new"), (False, "old")])
def test_a_prediction_says_which_arm_it_is_of(treated: bool, arm: str) -> None:
    found = hs.predict(unpaired(), trials=10, treated=treated)
    assert f"single observations in the arm {arm} by partial" in " ".join(repr(found).split())

"""Posterior predictive checks: they see what a family gets wrong, and little else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from two_arms import unpaired

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.fit.statistics import Rows, lopsided

GROUPS, ROWS = 8, 25


def rows(kind: str, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(GROUPS), ROWS)
    theta = rng.normal(0, 0.4, GROUPS)[g]
    mean = np.exp(theta)
    y = {
        "normal": lambda: rng.normal(theta, 1),
        "unequal": lambda: rng.normal(theta, np.exp(rng.normal(0, 0.6, GROUPS))[g]),
        "student_t": lambda: theta + rng.standard_t(2.5, len(g)),
        "lognormal": lambda: np.exp(rng.normal(theta, 0.8)),
        "gamma": lambda: rng.gamma(2, mean / 2),
        "heavy": lambda: np.exp(theta) * (1 + rng.pareto(1.5, len(g))),
        "poisson": lambda: rng.poisson(2 * mean),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-theta))),
        "neg_binomial": lambda: rng.negative_binomial(1.5, 1.5 / (1.5 + 2 * mean)),
        "both": lambda: (
            rng.binomial(1, 0.5, len(g)) * rng.negative_binomial(2, 2 / (2 + 30 * mean))
        ),
        "zeros": lambda: np.where(rng.random(len(g)) < 0.6, 0, rng.poisson(4 * mean)),
    }[kind]()
    return pd.DataFrame({"g": g, "y": y})


def fitted(frame: pd.DataFrame, family: str) -> hs.Fit:
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    return hs.PartialPooling().fit(
        data, seed=1, engine="stanli", progress=False, chains=2, warmup=300, draws=500
    )


def counts(phi: float, seed: int) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.05 * phi, 0.95 * phi, 28) if np.isfinite(phi) else np.full(28, 0.05)
    frame = pd.DataFrame({"v": ["A", "B"] * 14, "n": 500, "y": rng.binomial(500, p)})
    return hs.GroupedData.from_counts(frame, group="v", successes="y", trials="n")


RIGHT = ("normal", "student_t", "lognormal", "gamma", "poisson", "bernoulli", "neg_binomial")


@pytest.mark.slow
@pytest.mark.parametrize("family", RIGHT)
def test_the_right_family_is_seldom_blamed(family: str) -> None:
    """At a level of 0.005 for each of at most four checks; 4 of 20 have a chance below 1e-5."""
    blamed = [hs.check(fitted(rows(family, seed), family)).messages for seed in range(20)]
    assert sum(map(bool, blamed)) <= 3, blamed


WRONG = [
    ("unequal", "normal", "vary by different amounts", "normal_unequal"),
    ("student_t", "normal", "more extreme rows", "student_t"),
    ("lognormal", "normal", "skewed", "lognormal"),
    ("neg_binomial", "poisson", "variance within groups is", "neg_binomial"),
    ("zeros", "poisson", "rows are 0|variance within groups is", "zero_inflated_poisson"),
    ("heavy", "gamma", "skewed|extreme", "lognormal"),
    ("lognormal", "gamma", "skewed", "lognormal"),
    ("both", "zero_inflated_poisson", "Rows above 0 vary", "zero_inflated_neg_binomial"),
    ("zeros", "neg_binomial", "zeros stand apart|rows are 0", "zero_inflated_poisson"),
    ("both", "neg_binomial", "zeros stand apart|rows are 0", "zero_inflated_neg_binomial"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "family", "says", "cure"), WRONG)
def test_the_wrong_family_is_told(kind: str, family: str, says: str, cure: str) -> None:
    for seed in (1, 2, 3):
        fit = fitted(rows(kind, seed), family)
        found = hs.check(fit)
        words = " ".join(found.messages)
        assert not found.ok
        assert pd.Series([words]).str.contains(says).all(), words
        if cure in FAMILIES:
            assert f"family='{cure}'" in words
        named = [name for name in words.replace("'", " ").split() if "_" in name]
        assert set(named) <= set(FAMILIES)  # nothing is advised that does not exist
        assert found.messages[0] in hs.diagnose(fit).messages
        assert "Model" in str(fit)


@pytest.mark.parametrize("seed", [20, 59])
def test_outliers_on_both_sides_are_no_skewness(seed: int) -> None:
    """They move the means of their groups, so that 41% of these rows lie below."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=240) * np.where(rng.random(240) < 0.06, 8, 1)
    g = np.repeat(np.arange(8), 30)
    frame = pd.DataFrame({"g": g, "y": 40 + 0.3 * g + noise})
    found = hs.check(fitted(frame, "normal"))
    assert not found.table.loc["share below the group's mean", "ok"]
    assert "family='student_t'" in found.messages[0]
    assert "lognormal" not in " ".join(found.messages)


def test_amounts_of_unequal_shape_are_told_by_their_logarithms() -> None:
    rng = np.random.default_rng(1)
    shape = np.repeat([1.0, 20.0, 1.0, 20.0], ROWS)
    frame = pd.DataFrame({"g": np.repeat(list("abcd"), ROWS), "y": rng.gamma(shape) / shape})
    sd = np.log(frame["y"]).groupby(frame["g"]).std()
    words = " ".join(hs.check(fitted(frame, "gamma")).messages)
    assert f"sd of their logarithms {sd.min():.3g} to {sd.max():.3g}" in words


@pytest.mark.parametrize("spread", [0.6, 1.5])
def test_amounts_with_refunds_are_not_sent_to_a_family_that_passes_over_them(spread: float) -> None:
    """Student's t has half the mean of amounts that are skewed, some of which came back."""
    rng = np.random.default_rng(3)
    net = np.exp(rng.normal(3, spread, 300)) * np.where(rng.random(300) < 0.1, -1, 1)
    fit = fitted(pd.DataFrame({"g": np.repeat(list("abc"), 100), "y": net}), "normal")
    found = hs.check(fit).messages
    assert len(found) == 1
    if spread > 1:  # skewed for all to see
        assert "skewed" in found[0]
        assert "student_t" not in found[0]
    else:
        assert "student_t', which passes over them; not where they count" in found[0]


@pytest.mark.slow
def test_skewed_amounts_with_refunds_are_sent_from_student_t_to_a_family_with_their_mean() -> None:
    rng = np.random.default_rng(3)
    net = np.exp(rng.normal(3, 1, 600)) * np.where(rng.random(600) < 0.05, -1, 1)
    frame = pd.DataFrame({"g": np.repeat(list("abc"), 200), "y": net})
    fit = fitted(frame, "student_t")
    assert "use family='normal'" in " ".join(hs.check(fit).messages)
    raw = frame.groupby("g")["y"].mean()
    assert (hs.group_means(fit)["mean"] < 0.8 * raw).all()
    kept = hs.group_means(fitted(frame, "normal"))["mean"]
    np.testing.assert_allclose(kept, raw, atol=2 * (raw - raw.mean()).abs().max())


@pytest.mark.slow
def test_successes_that_vary_more_than_trials_allow() -> None:
    for seed in (1, 2, 3):
        options = {"seed": 1, "engine": "stanli", "progress": False}
        assert hs.check(hs.PartialPooling().fit(counts(np.inf, seed), **options)).ok
        found = hs.check(hs.PartialPooling().fit(counts(60, seed), **options))
        assert "times the binomial's" in found.messages[0]


def test_a_group_far_from_the_others_is_named() -> None:
    y = [*np.random.default_rng(1).normal(0, 1, 15), 25.0]
    frame = pd.DataFrame({"g": list("abcdefghijklmnop"), "y": y, "se": 0.5})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    found = hs.check(hs.PartialPooling().fit(data, seed=1, engine="stanli"))
    assert found.messages[0].startswith("Group 'p' lies ")
    rest = hs.check(hs.PartialPooling().fit(data.without("p"), seed=1, engine="stanli"))
    assert rest.ok


@pytest.mark.parametrize("family", ["normal", "student_t", "lognormal"])
def test_groups_of_three_rows_have_no_shape_to_blame(family: str) -> None:
    kind = rows(family, 1).groupby("g").head(3)
    found = hs.check(fitted(kind, family))
    assert found.ok, str(found)
    assert np.isfinite(found.table.to_numpy(dtype=float)).all()


def test_it_prints_and_refuses() -> None:
    fit = fitted(rows("neg_binomial", 1), "poisson")
    text, page = str(hs.check(fit)), hs.check(fit)._repr_html_()
    assert "NOT OK" in text
    assert "<table>" in page
    assert max(map(len, text.splitlines())) <= 88
    assert list(hs.check(fit).table) == ["observed", "replicated", "lower", "upper", "p", "ok"]
    with pytest.raises(hs.HierstanError, match="check takes a fit"):
        hs.check({"a": fit})
    prior = hs.PartialPooling().fit(fit.data, seed=1, engine="stanli", prior_only=True)
    with pytest.raises(hs.HierstanError, match="prior_only"):
        hs.check(prior)


def test_far_rows_on_one_side_are_seen_whatever_the_tail() -> None:
    rng = np.random.default_rng(1)
    own = Rows(np.repeat(np.arange(8), 40), 8, np.ones(320), False)
    wild = rng.standard_cauchy((200, 320))
    sides = lopsided(wild, own)
    assert abs(sides.mean() - 0.5) < 4 * sides.std() / np.sqrt(200)
    np.testing.assert_allclose(lopsided(-wild, own), 1 - sides)
    skewed = lopsided(np.exp(rng.normal(size=(200, 320))), own)
    assert (skewed > np.quantile(sides, 0.99)).mean() > 0.8


def test_a_group_with_one_arm_lies_nowhere() -> None:
    table = hs.check(unpaired()).table
    assert np.isfinite(table.loc["farthest group, in sd", ["observed", "replicated", "p"]]).all()
    assert table["ok"].all()


@pytest.mark.parametrize(
    ("kind", "cure"),
    [("arms normal", "normal_unequal"), ("arms poisson", "neg_binomial"),
     ("adjusted poisson", "neg_binomial")],
)  # fmt: skip
def test_arms_and_adjusted_rows_are_checked_around_their_own_means(kind: str, cure: str) -> None:
    """Silent where the model is right, whatever the treatment does."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(6), 24)
    frame = pd.DataFrame(
        {"g": group, "arm": np.tile(["old", "new"], 72), "z": rng.normal(size=144)}
    )
    more = frame["z"] if kind.startswith("adjusted") else 2.0 * (frame["arm"] == "new")
    eta, extra = rng.normal(0, 0.5, 6)[group] + 0.6 * more, rng.normal(0, 0.9, 144)

    def told(wrong: bool, family: str) -> hs.GroupedData:
        if kind == "arms normal":
            y = eta + rng.normal(size=144) * np.where(wrong & (group == 2), 5.0, 1.0)
        else:
            y = rng.poisson(np.exp(1 + eta + wrong * extra))
        given = {"group": "g", "outcome": "y", "family": family}
        if kind.startswith("adjusted"):
            return hs.GroupedData.from_rows(frame.assign(y=y), adjust=["z"], **given)
        return hs.GroupedData.from_trial(frame.assign(y=y), arm="arm", control="old", **given)

    options = {"seed": 1, "engine": "stanli", "progress": False, "warmup": 300, "draws": 300}
    fits = [
        hs.PartialPooling().fit(told(wrong, kind.split()[-1]), **options) for wrong in (False, True)
    ]
    assert not hs.check(fits[0]).messages
    found = hs.check(fits[1]).messages
    assert any(f"family='{cure}'" in text for text in found), found
    assert told(True, cure).family.startswith(cure)


def test_a_cure_that_would_be_refused_is_not_given_as_one() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(20, 2, 24).round(1)
    y[6:12] = 21.0
    frame = pd.DataFrame({"g": np.repeat(list("abcd"), 6), "y": y})
    (told,) = hs.check(fitted(frame, "normal")).messages
    assert "Use family=" not in told
    assert told.endswith(
        "family='normal_unequal' has that, but not of groups whose rows are all equal: look at "
        "these, and fit without them (data.without(...))."
    )

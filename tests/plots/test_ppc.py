from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pictures import OPTIONS, check_picture, close, data_of, fit_of, segments, words

import hierstan as hs
from hierstan.plots.replicated import replicated
from hierstan.plots.style import ALERT, POOLING_COLORS


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


NAMES = ["schools", "baseball", "pumps", "branches", "thousand", "ugly", "baskets", "scores"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_ppc(fit_of(name)), tmp_path)


@pytest.mark.parametrize("name", ["schools", "baseball", "pumps", "scores"])
def test_groups_are_set_against_their_replications(name: str) -> None:
    fit = fit_of(name)
    figure = hs.plot_ppc(fit, prob=0.5)
    y_rep = fit.idata["posterior_predictive"]["y"].to_numpy().reshape(4000, -1)[::4]
    rows = fit.data.rows
    group = rows["group"].to_numpy()
    size = rows[{"baseball": "trials", "pumps": "exposure"}.get(name, "y")].to_numpy()
    size = size if name in {"baseball", "pumps"} else np.ones(len(rows))
    J = len(fit.data.groups)
    totals = np.array([[one[group == j].sum() for j in range(J)] for one in (rows["y"], *y_rep)])
    means = totals / [size[group == j].sum() for j in range(J)]
    low, high = np.quantile(means[1:], [0.25, 0.75], axis=0)
    lines = segments(figure.axes[1], POOLING_COLORS["partial"], 1.1)
    order = np.argsort(-means[0], kind="stable")
    np.testing.assert_allclose([line[:, 0] for line in lines], np.c_[low, high][order])
    inside = ((low <= means[0]) & (means[0] <= high)).sum()
    word = fit.data.columns["group"]
    assert figure.get_suptitle().startswith(f"{inside} of {J} {word} means lie within their 50%")


def test_counts_get_bars_of_how_often_each_occurs() -> None:
    fit = fit_of("baseball")
    ax = hs.plot_ppc(fit).axes[0]
    hits = data_of("baseball").rows["y"].to_numpy()
    assert sum(bar.get_height() for bar in ax.patches) == len(hits)
    for bar in ax.patches:
        middle = bar.get_x() + bar.get_width() / 2
        assert bar.get_height() == (np.abs(hits - middle) < bar.get_width() / 1.8).sum()
    assert ax.get_xlabel() == "hits"


def test_unequal_trials_are_shown_as_rates() -> None:
    data = replicated(fit_of("thousand"))
    assert (data.whole, data.words) == (False, "sales / visits")
    assert data.y.max() <= 1
    assert data.y_rep.shape == (1000, 1000)


def test_amounts_are_compared_on_a_log_axis() -> None:
    figure = hs.plot_ppc(fit_of("baskets"))
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[0].get_xlabel() == "basket (log scale)"
    assert "median of basket by market" in figure.axes[1].get_xlabel()


def test_groups_outside_are_named_among_many() -> None:
    frame = hs.load_dataset("store_satisfaction")
    frame.loc[7, ["score", "se"]] = [140.0, 4.0]
    data = hs.GroupedData.from_estimates(frame, group="branch", estimate="score", se="se")
    fit = hs.PartialPooling(priors={"tau": hs.HalfNormal(2)}).fit(data, **OPTIONS)
    figure = hs.plot_ppc(fit)
    assert frame["branch"][7] in words(figure)
    diamonds = next(line for line in figure.axes[1].lines if line.get_marker() == "D")
    assert diamonds.get_color() == ALERT
    assert 140.0 in diamonds.get_xdata()


def test_a_statistic_of_the_whole_data_set(tmp_path: Path) -> None:
    fit = fit_of("schools")
    figure = hs.plot_ppc(fit, "max")
    line = next(line for line in figure.axes[0].lines)
    assert line.get_xdata()[0] == 28
    assert figure.get_suptitle().startswith("Max of effect: 28 observed, ")
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 1000
    check_picture(figure, tmp_path)


def test_a_statistic_of_ones_own() -> None:
    def spread(y: np.ndarray) -> float:
        return float(np.ptp(y))

    assert hs.plot_ppc(fit_of("schools"), spread).get_suptitle().startswith("Spread of effect: 31")


def test_an_unknown_statistic_lists_the_known_ones() -> None:
    with pytest.raises(hs.HierstanError, match="max, mean, median, min, sd, zeros, got 'mode'"):
        hs.plot_ppc(fit_of("schools"), "mode")


def test_a_prior_is_checked_against_its_own_replications(tmp_path: Path) -> None:
    figure = hs.plot_ppc(fit_of("pumps", prior_only=True))
    assert "prior predictive interval" in figure.get_suptitle()
    check_picture(figure, tmp_path)


def many_rows(n: int) -> hs.Fit:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": rng.integers(0, 5, n), "y": rng.normal(3, 2, size=n)})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y")
    return hs.PartialPooling().fit(data, **OPTIONS)


@pytest.mark.slow
def test_replications_that_were_not_kept_are_drawn_again(tmp_path: Path) -> None:
    fit = many_rows(2600)
    assert "posterior_predictive" not in fit.idata.children
    data = replicated(fit)
    assert data.y_rep.shape[1] == 2600
    assert abs(data.y_rep.mean() - data.y.mean()) < 0.1
    assert abs(data.y_rep.std() / data.y.std() - 1) < 0.05
    check_picture(hs.plot_ppc(fit), tmp_path)


def test_rows_that_are_gone_cannot_be_replicated() -> None:
    with pytest.raises(
        hs.HierstanError, match="the 20,001 rows of this fit came as, or were reduced to"
    ):
        hs.plot_ppc(many_rows(20_001))


def small(kind: str) -> hs.Fit:
    """Return a quick fit of few groups with columns of the user's own names."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"ward": np.repeat(list("pqrs"), 12), "arm": ["old", "new"] * 24})
    frame["score"], frame["size"] = rng.normal(7, 1, 48), rng.uniform(0.5, 4, 48)
    frame["grade"], frame["healed"] = rng.integers(1, 6, 48), rng.binomial(9, 0.4, 48)
    frame["seen"], frame["cost"] = rng.integers(9, 13, 48), rng.lognormal(3, 0.4, 48)
    if kind == "wide":
        wide = {"ward": list("pqrs"), "ill_new": [3, 5, 2, 6], "ill_old": [4, 6, 6, 7]}
        columns = {"events_treatment": "ill_new", "events_control": "ill_old"}
        columns |= {"total_treatment": "n_new", "total_control": "n_old"}
        sizes = pd.DataFrame(wide | {"n_new": 20, "n_old": [20, 21, 20, 20]})
        data = hs.GroupedData.from_arms(sizes, group="ward", **columns)
    elif kind == "weights":
        data = hs.GroupedData.from_rows(frame, group="ward", outcome="score", weights="size")
    else:
        columns, family = {
            "normal": ({"outcome": "score"}, "normal"),
            "lognormal": ({"outcome": "cost"}, "lognormal"),
            "ordinal": ({"outcome": "grade"}, "ordinal"),
            "counts": ({"successes": "healed", "trials": "seen"}, None),
            "events": ({"events": "healed", "exposure": "seen"}, None),
        }[kind]
        own = {"family": family} if family else {}
        data = hs.GroupedData.from_trial(
            frame, group="ward", arm="arm", control="old", **columns, **own
        )
    return hs.PartialPooling().fit(data, chains=2, warmup=200, draws=200, **OPTIONS)


@pytest.mark.parametrize(
    ("kind", "outcomes", "means"),
    [
        ("normal", "score", "mean of score by ward"),
        ("lognormal", "cost (log scale)", "mean of cost by ward"),
        ("ordinal", "grade", "mean score of grade by ward"),
        ("counts", "healed / seen", "healed / seen by ward"),
        ("events", "healed", "healed / seen by ward"),
        (
            "wide",
            "ill_old / n_old or ill_new / n_new",
            "ill_old / n_old or ill_new / n_new by ward",
        ),
        ("weights", "score", "weighted mean of score by ward"),
    ],
)
def test_axes_name_outcomes_in_the_users_words(kind: str, outcomes: str, means: str) -> None:
    fit = small(kind)
    left, right = hs.plot_ppc(fit).axes
    assert [left.get_xlabel(), right.get_xlabel()] == [outcomes, means]
    rates = right.xaxis.get_major_formatter()(0.25).endswith("%")
    assert rates == (kind in {"counts", "wide"})


def test_rows_of_weight_count_by_it() -> None:
    fit = small("weights")
    rows = fit.data.rows
    exact = [np.average(one["y"], weights=one["weight"]) for _, one in rows.groupby("group")]
    np.testing.assert_allclose(replicated(fit).means, exact)

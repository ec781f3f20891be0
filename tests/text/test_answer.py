"""Tables of answers print whole, rounded and with words, and stay pandas frames."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.text.answer import AnswerTable, answer

QUICK = {"seed": 1, "engine": "stanli", "chains": 2, "warmup": 300, "draws": 200, "progress": False}


@pytest.fixture(scope="module")
def fits() -> dict[str, hs.Fit]:
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    return hs.fit_poolings(data, **QUICK)


@pytest.fixture(scope="module")
def results(fits: dict[str, hs.Fit]) -> dict[str, object]:
    """Every kind of result, by the name of its function."""
    fit = fits["partial"]
    return {
        "data": fit.data,
        "to_frame": fit.data.to_frame(),
        "fit_poolings": fits,
        "fit": fit,
        "summary": hs.summary(fit),
        "diagnose": hs.diagnose(fit),
        "check": hs.check(fit),
        "group_means": hs.group_means(fit),
        "shrinkage": hs.shrinkage(fit),
        "heterogeneity": hs.heterogeneity(fit),
        "heterogeneity.table": hs.heterogeneity(fit).table,
        "loo": hs.loo(fit),
        "waic": hs.waic(fit),
        "compare": hs.compare(fits),
        "predict": hs.predict(fit, se=3.0),
        "predict.summary": hs.predict(fit, se=3.0).summary,
        "prob_best": hs.prob_best(fit),
        "prob_greater": hs.prob_greater(fit, than=0.5),
        "expected_loss": hs.expected_loss(fit),
        "uplift": hs.uplift(fit, control="C"),
        "decision_table": hs.decision_table(fit, control="C"),
        "rank_probabilities": hs.rank_probabilities(fit),
        "rank_intervals": hs.rank_intervals(fit),
        "value_remaining": hs.value_remaining(fit),
        "winners_curse": hs.winners_curse(fit),
        "certify": hs.certify(fit),
    }


def test_every_result_prints_whole_in_a_terminal_and_in_a_notebook(
    results: dict[str, object],
) -> None:
    for name, result in results.items():
        text, page = str(result), result._repr_html_()  # type: ignore[attr-defined]
        assert "..." not in text, name
        assert max(map(len, text.split("\n"))) <= 100, name
        assert page.startswith("<div>"), name
        assert "<table>" in page, name
        for column in result if isinstance(result, pd.DataFrame) else ():
            assert f" {column}" in text, (name, column)
            assert str(column) in page, (name, column)


def test_tables_are_indexed_by_the_users_column(results: dict[str, object]) -> None:
    frame = hs.load_dataset("eight_schools").rename(columns={"effect": "measured"})
    whole = "to_frame group_means shrinkage predict.summary uplift decision_table prob_best"
    for name in (*whole.split(), "rank_probabilities", "rank_intervals"):
        table = results[name]
        assert table.index.name == "school", name  # type: ignore[attr-defined]
        joined = frame.merge(table, on="school")  # type: ignore[call-overload]
        assert len(joined) == len(table), name  # type: ignore[arg-type]


def test_what_is_made_from_a_table_prints_as_whole_without_its_words(
    results: dict[str, object],
) -> None:
    table = results["shrinkage"]
    assert isinstance(table, AnswerTable)
    for made in (table.head(3), table.loc[["A"]], table.copy(), table.sort_values("mean"), table.T):
        assert isinstance(made, pd.DataFrame)
        text = str(made)
        assert "..." not in text
        assert str(table.attrs["caption"])[:20] not in text
        assert all(str(column) in text for column in made.columns)
    assert str(table.head(3)).split("\n")[1] in str(table).split("\n")
    assert type(table["mean"]) is pd.Series
    assert repr(pickle.loads(pickle.dumps(table))) == repr(table)


def test_tables_side_by_side_keep_all_their_columns(results: dict[str, object]) -> None:
    table = results["group_means"]
    assert isinstance(table, AnswerTable)
    two = pd.concat([table, table], axis=1)
    several = pd.concat({"one": table, "two": table}, axis=1)
    for made in (two, several):
        assert str(made).count("upper") == 2
        assert made._repr_html_().count("upper") == 2


def test_numbers_are_rounded_to_what_they_are_known_to() -> None:
    table = pd.DataFrame(
        {"mean": [10.83296, 7.91185], "sd": [7.66, 5.92], "lower": [0.1717, -1.71]},
        index=pd.Index(["A", "B"], name="group"),
    )
    table["prob_best"] = [0.24575, 0.109]
    table.attrs |= {"caption": "What it is", "advice": "What to do."}
    lines = str(answer(table, "school")).split("\n")
    assert lines[0] == "What it is"
    assert lines[2].split() == ["school", "mean", "sd", "lower", "prob_best"]
    assert lines[3].split() == ["A", "10.8", "7.7", "0.2", "0.25"]
    assert lines[-1] == "What to do."
    rows = answer(pd.DataFrame({"mean": [123.456, 0.0123], "sd": [12.3, 0.0045]}), each_row=True)
    assert [line.split()[1:] for line in str(rows).split("\n")[1:]] == [
        ["123.5", "12.3"],
        ["0.01230", "0.00450"],
    ]


def test_wide_and_long_tables_say_what_they_leave_out() -> None:
    wide = answer(pd.DataFrame(np.ones((70, 25)), columns=[f"column_{k}" for k in range(25)]))
    text = str(wide)
    assert max(map(len, text.split("\n"))) <= 100
    assert "… and 10 more rows and 5 more columns" in text
    assert "column_19" in text


def test_the_comparison_says_what_its_words_mean(fits: dict[str, hs.Fit]) -> None:
    comparison = hs.compare(fits)
    told = str(comparison)
    meanings = {
        "complete": "one mean for all 8 groups (school)",
        "none": "by its own data alone",
        "partial": "as tau says",
    }
    for name, meaning in meanings.items():
        assert any(line.startswith(name) and meaning in line for line in told.split("\n"))
    assert "± its standard error over 8 observations" in comparison.verdict


def test_labels_of_several_columns_print_as_people_write_them() -> None:
    best = [(np.int64(4), "web"), (np.int64(5), "shop")]
    printed = repr(answer(pd.DataFrame({"mean": [1.0, 2.0], "best": best})))
    assert "4, web" in printed
    assert "int64" not in printed

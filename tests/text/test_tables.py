"""Numbers, labels and tables as text and HTML."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hierstan.text.tables import Page, Table, numbers, percent, places, plain_labels, printable


@pytest.mark.parametrize(
    ("sd", "mcse", "expected"),
    [
        (5.13, 0.08, 2),
        (5.13, 0.3, 1),
        (5.13, 40.0, 1),  # two digits of the sd at least
        (5.13, 0.00001, 2),  # three at most
        (0.0321, None, 4),
        (4000.0, 100.0, 0),
        ([1.0, 1.0, 1e6], None, 2),  # the typical one decides
        (0.0, None, 2),
        (np.nan, np.nan, 2),
        (np.inf, None, 2),
    ],
)
def test_places(sd: object, mcse: object, expected: int) -> None:
    assert places(sd, mcse) == expected


def test_numbers() -> None:
    assert numbers([1234.567, -0.001, -2.5, np.nan, np.inf, 3e9, 3e15], 2) == [
        "1,234.57", "0.00", "-2.50", "–", "inf", "3,000,000,000.00", "3e+15",
    ]  # fmt: skip
    assert numbers([0.0000012345], 9) == ["1.23e-06"]


def test_percent() -> None:
    assert [percent(p) for p in (0.05, 0.95, 0.025, 1 / 3)] == ["5%", "95%", "2.5%", "33.3333%"]


def test_table_as_text() -> None:
    table = Table(("g", "mean"), (("a", "-1.5"), ("long one", "10.25"), ("b", "3")), "… and 2 more")
    assert table.text().split("\n") == [
        "g          mean",
        "a         -1.5",
        "long one  10.25",
        "b          3",
        "… and 2 more",
    ]


def test_wide_characters_take_two_columns() -> None:
    text = Table(("", "n"), (("東京", "1"), ("Oslo", "2"))).text()
    assert text.split("\n")[1:] == ["東京  1", "Oslo  2"]


def test_table_as_html() -> None:
    html = Table(("g", "<n>"), (("<a>", "1.5"),), "<more>").html()
    assert "&lt;a&gt;" in html
    assert "&lt;n&gt;" in html
    assert "&lt;more&gt;" in html
    assert html.count("<tr>") == 3


def test_page_wraps_its_facts() -> None:
    page = Page("Title", (("Fact", "word " * 40), ("", "second")))
    lines = page.text().split("\n")
    assert lines[:2] == ["Title", ""]
    assert max(map(len, lines)) <= 88
    assert all(line.startswith("      word") for line in lines[3:-1])
    assert lines[-1] == "      second"


def test_labels_stay_apart() -> None:
    assert plain_labels(pd.Index([1, 2])) == ["1", "2"]
    assert plain_labels(pd.Index([1, "1"], dtype=object)) == ["1", "'1'"]
    assert plain_labels(pd.DatetimeIndex(["2026-01-01"])) == ["2026-01-01"]
    assert plain_labels(pd.DatetimeIndex(["2026-01-01 12:00"])) == ["2026-01-01 12:00:00"]


def test_printable() -> None:
    assert printable("a\tb\n") == "a\\tb\\n"
    assert printable("x" * 40, 10) == "x" * 9 + "…"
    assert printable("東" * 10, 7) == "東東東…"

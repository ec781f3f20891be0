"""Values and lists in error messages stay short."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.text.wording import broken_by, did_you_mean, listed, show


def test_show_is_short_and_on_one_line() -> None:
    assert show(np.float64(1.5)) == "1.5"
    assert show("a\nb") == r"'a\nb'"
    assert len(show("x" * 1000)) == 60
    assert "\n" not in show(pd.Series(range(3)))


def test_listed_says_how_many_more() -> None:
    assert listed([]) == ""
    assert listed(["a", 1]) == "'a', 1"
    assert listed(np.arange(5), 2) == "0, 1 and 3 more"


def test_broken_by_counts_and_cuts() -> None:
    assert broken_by(1, 9, ["row 0: 1"]) == "1 of 9 rows breaks this: row 0: 1"
    assert broken_by(1234, 9999, ["r", "s", "t", "u"]) == (
        "1,234 of 9,999 rows break this: r, s, t, ..."
    )


def test_did_you_mean_finds_near_misses_only() -> None:
    assert did_you_mean("SCHOL", ["school", "effect"]) == " Did you mean 'school'?"
    assert did_you_mean("site", ["school", "effect"]) == ""
    assert did_you_mean("1", [1, 2]) == " Did you mean 1?"

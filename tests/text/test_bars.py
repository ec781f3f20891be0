"""A bar shows once work takes long, counts what is done, and leaves the work as it is."""

from __future__ import annotations

import pytest

from hierstan.text import bars
from hierstan.text.bars import with_bar


def test_short_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(with_bar(range(3), "counting", shown=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_long_work_shows_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "QUIET_SECONDS", -1.0)
    assert list(with_bar("abcd", "counting", shown=True)) == list("abcd")
    out, err = capsys.readouterr()
    assert not out
    assert "counting:   0%" in err
    assert "0/4" in err
    assert list(with_bar("abcd", "counting", shown=False)) == list("abcd")
    assert capsys.readouterr() == ("", "")


def test_work_that_fails_takes_its_bar_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "QUIET_SECONDS", -1.0)
    with pytest.raises(ZeroDivisionError):
        [1 // item for item in with_bar([1, 0], "dividing", shown=True)]
    assert capsys.readouterr().err.endswith("\r")

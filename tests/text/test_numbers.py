from __future__ import annotations

import pytest

from hierstan.text.numbers import figure, points, share
from hierstan.text.tables import called


@pytest.mark.parametrize("value", [0.5, 12.34, 100.0, 999.96, 1234.5, -2_500_000.0, 12_345_678.0])
def test_no_figure_of_a_sentence_has_an_exponent(value: float) -> None:
    text = figure(value, 2)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.05)


def test_differences_between_shares_are_points() -> None:
    assert points(1.23e-5) == "0.00123 percentage points"
    assert points(0.01) == "1 percentage point"
    assert (share(1.0), share(0.9999), share(0.0)) == (">99%", ">99%", "<1%")


def test_a_label_of_several_columns_is_called_by_its_parts() -> None:
    assert called(("18-25", "web")) == "'18-25, web'"
    assert called("B") == "'B'"

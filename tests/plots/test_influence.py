from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pictures import check_picture, close, fit_of

import hierstan as hs


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


def test_influence_is_drawn(tmp_path: Path) -> None:
    fit = fit_of("schools")
    figure, table = hs.plot_influence(fit), hs.influence(fit)
    check_picture(figure, tmp_path)
    dots = figure.axes[0].lines[1]
    np.testing.assert_allclose(dots.get_xdata(), table["mu"])
    assert table["mu_shift"].abs().idxmax() in figure.get_suptitle()
    assert len(hs.plot_influence(fit_of("schools", "complete")).axes) == 1

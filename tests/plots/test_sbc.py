from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.trust.sbc_result import SBCResult


def test_plot_sbc_draws_both_kinds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ranks = pd.DataFrame({name: rng.integers(0, 100, 100) for name in ("mu", "theta[$x$]")})
    result = SBCResult(ranks.assign(tau=50), draws=99, replicates=100)
    for kind in ("ecdf", "hist"):
        figure = hs.plot_sbc(result, kind)
        assert [ax.get_title(loc="left") for ax in figure.axes] == ["mu", "theta[$x$]", "tau"]
        figure.savefig(tmp_path / "sbc.png")
    assert list(result.idata()["prior_sbc"].data_vars) == ["mu", "theta[$x$]", "tau"]
    with pytest.raises(hs.HierstanError, match="kind must be one of ecdf, hist; got 'bars'"):
        hs.plot_sbc(result, "bars")

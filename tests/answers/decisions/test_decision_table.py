from __future__ import annotations

import deciding
import numpy as np
from deciding import fit_of

import hierstan as hs


def test_decision_table() -> None:
    fit = deciding.baseball_fits()["partial"]
    table = hs.decision_table(fit, control="Alvis", caring=0.02)
    assert table.index[0] == "Clemente"
    assert table["expected_loss"].is_monotonic_increasing
    assert not table.isna().any(axis=None)
    np.testing.assert_allclose(table["prob_best"], hs.prob_best(fit)[table.index])
    np.testing.assert_allclose(table.loc["Alvis", "uplift"], 0)
    expected = hs.uplift(fit, control="Alvis")["upper"]
    np.testing.assert_allclose(table["uplift_upper"][expected.index], expected)
    assert table["verdict"].iloc[0] == "keep testing"
    enough = hs.decision_table(fit, caring=0.05)
    assert enough["verdict"].iloc[0] == "choose"
    assert "uplift" not in enough
    assert enough.attrs["advice"].startswith("Choose 'Clemente'.")
    assert "90% equal-tailed" in enough.attrs["caption"]
    assert hs.decision_table(fit)["verdict"].iloc[0] == "best choice"


def test_clearly_worse_groups_are_behind() -> None:
    theta = np.random.default_rng(1).normal([0, 0.5, 5], 1, (2, 500, 3))
    assert hs.decision_table(fit_of(theta))["verdict"].tolist() == [
        "best choice",
        "behind",
        "behind",
    ]
    assert hs.decision_table(fit_of(theta), caring=6)["verdict"].iloc[1] == "in the running"

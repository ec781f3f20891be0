"""Units left out a block at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.answers.comparison import units
from hierstan.fit.once import forget

SHORT = {"seed": 1, "engine": "stanli", "draws": 200, "warmup": 200}


def rows(family: str) -> hs.GroupedData:
    """Rows in no order, many of them equal, in groups of 1 to 20."""
    rng = np.random.default_rng(3)
    group = rng.permutation(np.repeat(np.arange(12), [1, 2, 20, 5, 9, 3, 8, 10, 4, 6, 7, 2]))
    y = rng.poisson(np.exp(rng.normal(0.5, 0.4, 12))[group]).astype(float)
    y = np.minimum(y, 1) if family == "bernoulli" else y
    frame = pd.DataFrame({"g": [f"g{k}" for k in group], "y": y})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize("family", ["normal", "poisson", "bernoulli"])
@pytest.mark.parametrize("model", [hs.NoPooling, hs.PartialPooling, hs.CompletePooling])
@pytest.mark.filterwarnings("ignore:Do not rely")
def test_blocks_of_groups_give_what_all_groups_at_once_give(
    model: type, family: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = model().fit(rows(family), **SHORT)
    whole = hs.loo(fit, unit=unit, refit=False)
    forget(fit)
    monkeypatch.setattr(units, "MAX_VALUES", 800 * 20)
    parts = hs.loo(fit, unit=unit, refit=False)
    # nodes lie where Newton's method stops, which it does for all groups of a block at once
    close = 1e-9 if family == "normal" else 2e-3
    np.testing.assert_allclose(parts.elpd_i, whole.elpd_i, atol=close)
    np.testing.assert_allclose(parts.pareto_k, whole.pareto_k, atol=10 * close)
    assert parts.mcse == pytest.approx(whole.mcse, rel=1e-2, abs=1e-9)
    assert parts.p_loo == pytest.approx(whole.p_loo, abs=77 * close)


@pytest.mark.slow
def test_equal_rows_of_a_group_have_equal_numbers_however_they_came_about() -> None:
    frame = pd.DataFrame({"g": np.repeat(list("abc"), [40, 3, 3]), "y": [0] * 40 + [1, 1, 0] * 2})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="bernoulli")
    found = hs.loo(hs.PartialPooling().fit(data, seed=1, engine="stanli"))
    table = found.to_frame().assign(g=frame["g"], y=frame["y"])
    assert (table.groupby(["g", "y"])["elpd"].nunique() == 1).all()
    assert (table.groupby(["g", "y"])["method"].nunique() == 1).all()


def test_as_many_draws_as_a_second_allows() -> None:
    few = hs.GroupedData.from_counts(
        pd.DataFrame({"g": range(12), "y": 3, "n": 50}), group="g", successes="y", trials="n"
    )
    counts = hs.CompletePooling().fit(few, **SHORT)
    normal = hs.PartialPooling().fit(rows("normal"), **SHORT)
    assert units.draws_to_use(counts, 12) >= 3_500
    assert units.draws_to_use(normal, 500) >= 4_000
    assert units.draws_to_use(normal, 10**6) == units.draws_to_use(counts, 10**6) == 500


def test_equal_units_share_their_error() -> None:
    from hierstan.answers.comparison.elpd import summarised
    from hierstan.answers.comparison.importance import LeftOut

    none, error = np.zeros(3), np.array([0.3, 0.3, 0.4])
    left_out = LeftOut(none, none, none, error, np.array([True, True, True]), np.zeros(1))
    told = {"unit": "observation", "method": np.full(3, "integral"), "model": "partial"}
    alone = summarised(left_out, labels=pd.RangeIndex(3), **told)
    equal = summarised(left_out, labels=pd.RangeIndex(3), kinds=np.array([0, 0, 1]), **told)
    assert alone.mcse == pytest.approx(np.sqrt(0.3**2 + 0.3**2 + 0.4**2))
    assert equal.mcse == pytest.approx(np.sqrt(0.6**2 + 0.4**2))

from __future__ import annotations

import pytest
from crossed import PRIORS, QUICK, cells, crossed

import hierstan as hs


@pytest.mark.slow
def test_words_name_what_differs() -> None:
    frame = crossed()
    fit = hs.PartialPooling(priors=PRIORS).fit(cells(frame), seed=5, adapt_delta=0.98, **QUICK)
    found = hs.components(fit)
    assert found.table.index.tolist() == ["age", "channel", "age × channel"]
    assert found.table["share"].sum() == pytest.approx(1)
    assert "left to the groups themselves" in found.verdict
    words = hs.heterogeneity(fit).verdict
    assert words.startswith("Beyond what age and channel can explain, ")
    assert "a group with levels of age and channel that are not yet seen" in words
    table = hs.shrinkage(fit)
    center = fit.draws("mu") + fit.draws("u_age")[:, 0] + fit.draws("u_channel")[:, 0]
    assert table["center"].iloc[0] == pytest.approx(center.mean())
    merged = frame.merge(hs.group_means(fit), on=["age", "channel"])
    assert len(merged) == len(frame)
    with pytest.raises(hs.HierstanError, match="no factor 'aeg'. Did you mean 'age'"):
        hs.effects(fit, "aeg")
    with pytest.raises(hs.HierstanError, match="no pooling has no use for them"):
        hs.components(hs.NoPooling().fit(cells(frame), draws=100, seed=1, **QUICK))

from __future__ import annotations

import numpy as np
import pytest
from surveys import QUICK, ratings, shares, stores

import hierstan as hs


def test_the_answers_of_surveys() -> None:
    counts = stores()
    fit = hs.PartialPooling().fit(ratings(counts), **QUICK)
    table = hs.ratings(fit, top=2)
    p = np.stack([shares(t, c) for t, c in zip(fit.theta(), fit.draws("cutpoint"), strict=True)])
    np.testing.assert_allclose(table[[1, 2, 3, 4, 5]], p.mean(axis=0))
    np.testing.assert_allclose(table[["mean", "sd"]], hs.group_means(fit)[["mean", "sd"]])
    top = p[..., 3:].sum(axis=-1)
    np.testing.assert_allclose(table["top"], top.mean(axis=0))
    np.testing.assert_allclose(table["top_lower"], np.quantile(top, 0.05, axis=0))
    assert table.index.name == "store"
    assert "top 2 boxes (4, 5)" in table.attrs["caption"]
    assert "top box (5)" in hs.ratings(fit, top=1).attrs["caption"]
    for top_wrong in (0, 5, 1.5, True):
        with pytest.raises(hs.HierstanError, match="from 1 to 4"):
            hs.ratings(fit, top=top_wrong)
    schools = hs.GroupedData.from_estimates(
        hs.load_dataset("eight_schools"), group="school", estimate="effect", se="se"
    )
    with pytest.raises(hs.HierstanError, match="from_ratings"):
        hs.ratings(hs.PartialPooling().fit(schools, **QUICK))

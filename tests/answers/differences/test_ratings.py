from __future__ import annotations

import numpy as np
import pandas as pd
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


def test_two_arms_of_ratings_have_a_line_each() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"shop": np.repeat(["x", "y", "z"], 20), "arm": ["old", "new"] * 30})
    frame["stars"] = rng.integers(1, 5, 60)
    names = {"group": "shop", "arm": "arm", "control": "old", "outcome": "stars"}
    data = hs.GroupedData.from_trial(frame, family="ordinal", order=[1, 2, 3, 4], **names)
    fit = hs.PartialPooling().fit(data, **QUICK)
    table = hs.ratings(fit, top=1)
    assert table.index.names == ["shop", "arm"]
    assert table.index.tolist()[:3] == [("x", "old"), ("x", "new"), ("y", "old")]
    means, of_groups = table["mean"].unstack("arm"), hs.arms(fit)
    np.testing.assert_allclose(means["old"], of_groups["baseline"])
    np.testing.assert_allclose(means["new"], of_groups["treated"])
    every = fit.draws("baseline")[:, 2] + fit.theta()[:, 2]
    exact = [shares(t, c)[3] for t, c in zip(every, fit.draws("cutpoint"), strict=True)]
    np.testing.assert_allclose(table.loc[("z", "new"), ["top", 4]].to_numpy(float), np.mean(exact))
    assert "each arm" in table.attrs["caption"]

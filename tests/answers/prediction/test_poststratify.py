from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from crossed import PRIORS, QUICK, cells, crossed
from pandas.testing import assert_frame_equal

import hierstan as hs


@pytest.mark.slow
def test_a_new_group_has_the_levels_it_is_said_to_have() -> None:
    frame = crossed()
    fit = hs.PartialPooling(priors=PRIORS).fit(cells(frame), seed=5, adapt_delta=0.98, **QUICK)
    new = pd.DataFrame({"age": ["b", "b", "d", "d"], "channel": ["x", "new", "w", "x"]})
    found = hs.predict(fit, new, se=1e-3)
    values = found.draws.to_numpy().reshape(-1, 4)
    mu, tau = fit.draws("mu"), fit.draws("tau")
    b, x = fit.draws("u_age")[:, 1], fit.draws("u_channel")[:, 1]
    assert values[:, 0].mean() == pytest.approx((mu + b + x).mean(), abs=0.05)
    of_channel = fit.draws("tau_channel")
    assert values[:, 0].var() == pytest.approx((mu + b + x).var() + (tau**2).mean(), rel=0.15)
    wide = (mu + b).var() + (of_channel**2 + tau**2).mean()
    assert values[:, 1].var() == pytest.approx(wide, rel=0.15)
    assert np.corrcoef(values[:, 2], values[:, 3])[0, 1] > 0.5  # the same new age
    share = hs.poststratify(fit, new.assign(weight=[1.0, 0.0, 3.0, 0.0]))
    mixed = 0.25 * values[:, 0] + 0.75 * values[:, 2]
    assert share["mean"].iloc[0] == pytest.approx(mixed.mean(), abs=0.1)
    assert share["sd"].iloc[0] == pytest.approx(mixed.std(), rel=0.15)
    whole = frame[["age", "channel"]].assign(weight=range(1, 12))
    by_age = hs.poststratify(fit, whole, by="age")
    theta = fit.draws("theta") * np.arange(1, 12)
    first = (whole["age"] == "a").to_numpy()
    expected = theta[:, first].sum(axis=1) / np.arange(1, 12)[first].sum()
    np.testing.assert_allclose(by_age.attrs["draws"][:, 0], expected)


def test_a_frame_of_new_groups_has_the_sizes_of_their_observations() -> None:
    frame = pd.DataFrame({"cell": range(8), "age": list("aabbccdd"), "seen": 40, "sold": range(8)})
    data = hs.GroupedData.from_counts(
        frame, group="cell", successes="sold", trials="seen", factors=["age"]
    )
    fit = hs.PartialPooling().fit(data, seed=1, warmup=200, draws=50, **QUICK)
    new = pd.DataFrame({"cell": [0, "x", "y"], "age": ["a", "a", "new"], "seen": [7, 1, 900]})
    assert hs.predict(fit, new).design["trials"].tolist() == [7, 1, 900]
    assert hs.predict(fit, new, trials=3).design["trials"].tolist() == [3, 3, 3]
    assert hs.predict(fit, new[["cell", "age"]]).design["trials"].tolist() == [40, 40, 40]
    with pytest.raises(hs.HierstanError, match="a whole number of trials, at least 1"):
        hs.predict(fit, new.assign(seen=[1, 0, 2]))
    plain = new.assign(cell=[0, 90, 91], weight=[1, 2, 3])
    for engine in (pl.DataFrame, pa.table):
        other = engine(plain.to_dict("list"))
        assert_frame_equal(
            hs.predict(fit, other, seed=1).summary, hs.predict(fit, plain, seed=1).summary
        )
        assert_frame_equal(
            hs.poststratify(fit, other, by="age"), hs.poststratify(fit, plain, by="age")
        )
    with pytest.raises(hs.DataError, match="weights= takes a pandas or polars DataFrame"):
        hs.poststratify(fit, {"age": ["a"]})

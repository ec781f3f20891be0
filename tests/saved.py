"""Fits that are saved, and whether they come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import hierstan as hs


def fitted(model: object, data: hs.GroupedData, **options: object) -> hs.Fit:
    quick = {"seed": 1, "engine": "stanli", "progress": False, "draws": 100, "chains": 2}
    return model.fit(data, **quick | options)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def again(fit: hs.Fit, folder: Path) -> hs.Fit:
    fit.save(folder / "fit.nc")
    return hs.load(folder / "fit.nc")


def assert_same(fit: hs.Fit, back: hs.Fit) -> None:
    """Everything that anything could be computed from is the same."""
    assert set(fit.idata.children) == set(back.idata.children)
    for name, node in fit.idata.children.items():
        ours, theirs = node.to_dataset(), back.idata[name].to_dataset()
        assert list(ours.data_vars) == list(theirs.data_vars)
        xr.testing.assert_identical(ours, theirs)
        for variable in (*ours.data_vars, *ours.coords):
            one, other = ours[variable].to_numpy(), theirs[variable].to_numpy()
            assert one.dtype == other.dtype
            if one.dtype != object:
                assert one.tobytes() == other.tobytes()
    pd.testing.assert_index_equal(fit.data.groups, back.data.groups, exact=True)
    assert [type(label) for label in fit.data.groups] == [type(label) for label in back.data.groups]
    pd.testing.assert_frame_equal(fit.data.cells, back.data.cells)
    if fit.data.rows is None:
        assert back.data.rows is None
    else:
        pd.testing.assert_frame_equal(fit.data.rows, back.data.rows)
        assert (fit.data.rows is fit.data.cells) == (back.data.rows is back.data.cells)
    for name in ("family", "n_rows", "columns"):
        assert getattr(fit.data, name) == getattr(back.data, name)
    for ours, theirs in (
        (fit.data.stan_data(), back.data.stan_data()),
        (fit.model.program(fit.data), back.model.program(back.data)),
    ):
        np.testing.assert_equal(ours, theirs)
    assert type(fit.model) is type(back.model)
    assert dict(fit.model.priors or {}) == dict(back.model.priors or {})
    parts = ("priors", "engine", "seed", "program", "conditional", "parameterization", "prior_only")
    for name in (*parts, "note", "stan_code"):
        assert getattr(fit, name) == getattr(back, name)
    assert dict(fit.options) == dict(back.options)
    assert (str(fit), repr(fit)) == (str(back), repr(back))

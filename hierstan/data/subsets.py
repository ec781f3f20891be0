"""Grouped data without some of their groups or rows, for leaving them out one by one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd

from hierstan.data import structure
from hierstan.data.intake import MAX_ROWS, Intake
from hierstan.data.labels import position
from hierstan.errors import DataError
from hierstan.families import FAMILIES
from hierstan.families.treatment import arm_of
from hierstan.text.wording import listed, show


def without_group(data: Intake, label: Hashable) -> Intake:
    """Return the data without one group, given by its label."""
    code = position(data.groups, label)
    if len(data.groups) == 1:
        raise DataError(f"Without group {show(label)} no group would be left.")
    rows = None if data.rows is None else data.rows[data.rows["group"] != code]
    return _rest(data, data.cells[data.cells["group"] != code], rows)


def only_groups(data: Intake, codes: np.ndarray) -> Intake:
    """Return the data of some groups, given by their positions."""
    rows = None if data.rows is None else data.rows[data.rows["group"].isin(codes)]
    return _rest(data, data.cells[data.cells["group"].isin(codes)], rows)


def without_arm(data: Intake, label: Hashable, treated: bool) -> Intake:
    """Return the data without one arm of a group; of a group with that arm alone, without it."""
    if not FAMILIES[data.family].treatment:
        raise DataError(f"These data have no arms, but {data.family} outcomes of groups.")
    arm = 2 * position(data.groups, label) + int(treated)
    cells = data.cells[arm_of(data.cells) != arm]
    if cells.empty:
        raise DataError("Without this arm no row would be left.")
    rows = None if data.rows is None else data.rows[arm_of(data.rows) != arm]
    return _rest(data, cells, rows)


def without_rows(data: Intake, positions: Iterable[int]) -> Intake:
    """Return the data without the observations at some positions of ``data.rows``."""
    rows = kept_rows(data)
    dropped = np.asarray(list(positions))
    if dropped.size == 0:
        return data
    if dropped.dtype.kind not in "iu" or dropped.min() < 0 or dropped.max() >= len(rows):
        raise DataError(
            f"positions= takes whole numbers from 0 to {len(rows) - 1}, "
            f"but got {listed(dropped.tolist())}."
        )
    keep = np.ones(len(rows), dtype=bool)
    keep[dropped] = False
    left = rows[keep]
    if left.empty:
        raise DataError("Without these rows no row would be left.")
    collapses = data.rows is not data.cells
    return _rest(data, FAMILIES[data.family].collapsed(left) if collapses else left, left)


def kept_rows(data: Intake) -> pd.DataFrame:
    """Return the single rows, or say why there are none."""
    if data.rows is None:
        raise DataError(
            f"These {data.n_rows:,} rows came as, or were reduced to, {len(data.cells):,} "
            f"summaries; single rows are kept up to {MAX_ROWS:,}. Leave out whole groups with "
            "without(label)."
        )
    return data.rows


def rows_per_group(data: Intake) -> np.ndarray:
    """Count the observations of each group."""
    J = len(data.groups)
    if data.rows is not None:
        return np.bincount(data.rows["group"], minlength=J)
    return np.bincount(data.cells["group"], _counted(data.cells), J).astype(np.int64)


# internals --------------------------------------------------------------------------------------


def _counted(cells: pd.DataFrame) -> np.ndarray:
    """Return how many rows each cell stands for, where these were not kept since they collapse."""
    name = next(n for n in ("count", "trials", "weight", "exposure") if n in cells)
    return cells[name].to_numpy()


def _rest(data: Intake, cells: pd.DataFrame, rows: pd.DataFrame | None) -> Intake:
    """Return data of some of the cells, without the groups that have none left."""
    present = np.bincount(cells["group"], minlength=len(data.groups)) > 0
    new_code = np.cumsum(present) - 1

    def recoded(part: pd.DataFrame) -> pd.DataFrame:
        return part.assign(group=new_code[part["group"].to_numpy()]).reset_index(drop=True)

    left, groups = recoded(cells), data.groups[present]
    return data._replace(
        groups=groups.remove_unused_levels() if isinstance(groups, pd.MultiIndex) else groups,
        cells=left,
        rows=None if rows is None else left if data.rows is data.cells else recoded(rows),
        n_rows=int(_counted(cells).sum()) if rows is None else len(rows),
        predictors=None if data.predictors is None else data.predictors[present],
        factors=None if data.factors is None else structure.of_some(data.factors, present),
    )

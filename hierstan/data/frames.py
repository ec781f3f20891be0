"""The user's frame, whatever its engine: which frames are accepted, their columns and rows.

What depends on the dataframe engine is in this room. A `Table` is the user's frame cut down to the
columns that matter, under the names of their roles ("group", "estimate", "se", ...). The frame
itself is never changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.errors import DataError
from hierstan.families.collapse import Frame, adopted
from hierstan.text.wording import did_you_mean, listed, show

ACCEPTED = (
    "a pandas or polars DataFrame, a polars LazyFrame, a pyarrow Table, a DuckDB relation, "
    "or a Dask, PySpark or ibis table"
)

SHARED = ("within",)  # roles of a column that may have another role, too

RECIPES = {  # what: (in pandas and Dask, in any other engine)
    "numbers": ("frame[{0!r}].astype(float)", "a cast to 64-bit floats"),
    "missing": ("frame.dropna(subset=[{0!r}])", "a filter"),
    "unused": ("frame[{0!r}].cat.remove_unused_categories()", "a cast of the column to text"),
}


@dataclass(frozen=True)
class Table:
    """The columns in use, under the names of their roles, still inside the user's engine."""

    frame: Frame
    names: dict[str, Hashable]

    @property
    def keys(self) -> tuple[str, ...]:
        """The roles of the columns whose combinations are the groups, most often "group" alone."""
        return tuple(role for role in self.names if role.split()[0] == "group")

    @property
    def factors(self) -> tuple[str, ...]:
        """The roles of other columns with labels: what describes a group."""
        return tuple(role for role in self.names if role.split()[0] == "factor")

    @property
    def labelled(self) -> tuple[str, ...]:
        """The roles of the covariates of rows that hold labels."""
        schema = self.frame.collect_schema()
        covariates = [role for role in self.names if role.split()[0] == "adjust"]
        return tuple(
            role
            for role in covariates
            if schema[role] in (nw.String, nw.Categorical, nw.Object)
            or isinstance(schema[role], nw.Enum)
        )

    @property
    def in_pandas(self) -> bool:
        """Whether the rows are a pandas frame, so that nothing has to be fetched."""
        return self.frame.implementation.is_pandas()

    @property
    def keeps_order(self) -> bool:
        """Whether rows have an order; SQL engines and clusters promise none."""
        return isinstance(self.frame, nw.DataFrame) or self.frame.implementation.is_polars()

    def numbered(self) -> Frame:
        """Return the frame with row numbers as column "row"; only where rows have an order."""
        if isinstance(self.frame, nw.DataFrame):
            return self.frame.with_row_index("row")
        polars = nw.to_native(self.frame)  # narwhals wants an order to number lazy rows by
        numbered: Frame = nw.from_native(polars.with_row_index("row"))
        return numbered

    def rows_at(self, positions: np.ndarray) -> str:
        """Say which rows are at these positions, by pandas' index labels or by number."""
        if self.in_pandas:
            return f"rows {listed(nw.to_native(self.frame).index[positions].tolist())}"
        return f"rows {listed(positions)}" if self.keeps_order else f"{len(positions)} rows"

    def column(self, role: str) -> str:
        """Say which column plays a role, for an error message."""
        if role == "group" and role not in self.names:
            return f"Columns {listed([self.names[key] for key in self.keys], 9)} (group)"
        name, role = self.names[role], _noun(role)
        return f"Column {name!r}" if name == role else f"Column {name!r} ({role})"

    def recipe(self, what: str, role: str) -> str:
        """Say how to mend a column, in the words of the user's engine."""
        pandas, other = RECIPES[what]
        like_pandas = self.in_pandas or self.frame.implementation.is_dask()
        return pandas.format(self.names[role]) if like_pandas else other


def open_table(frame: object, columns: Mapping[str, Hashable]) -> Table:
    """Check that the frame has the columns, and return it cut down to them, named by role."""
    if isinstance(frame, nw.DataFrame | nw.LazyFrame):
        frame = nw.to_native(frame)
    if isinstance(frame, pd.DataFrame):
        _check_columns(list(frame.columns), columns, list(frame.index.names))
        parts = {role: frame[name] for role, name in columns.items()}
        return Table(nw.from_native(pd.DataFrame(parts, copy=False)), dict(columns))
    opened = _opened(frame)
    if opened.implementation.is_polars():
        opened = opened.lazy()  # runs in parallel and in bounded memory
    _check_columns(opened.collect_schema().names(), columns, [])
    selected = opened.select(nw.col(str(name)).alias(role) for role, name in columns.items())
    return Table(selected, dict(columns))


def column_names(frame: object) -> list[Hashable]:
    """Return the names of a frame's columns, whatever its engine."""
    if isinstance(frame, pd.DataFrame):
        return list(frame.columns)
    return list(adopted(frame).collect_schema().names())


def is_frame(value: object) -> bool:
    """Whether a value is a table of rows and columns, whatever its engine."""
    try:
        adopted(value)
    except TypeError:
        return False
    return True


def as_pandas(frame: object, argument: str) -> pd.DataFrame:
    """Return a small frame of any engine as pandas; `argument` is what a message calls it."""
    if isinstance(frame, pd.DataFrame):
        return frame
    return pd.DataFrame(collected(_opened(frame, argument)).to_dict(as_series=False))


def collected(frame: Frame) -> nw.DataFrame[Any]:
    """Run a lazy frame in its engine and return the result; eager frames pass through."""
    if isinstance(frame, nw.DataFrame):
        return frame
    if frame.implementation.is_polars():
        return frame.collect(engine="streaming")
    try:
        return frame.collect()
    except ModuleNotFoundError:  # most engines hand over pyarrow unless told otherwise
        return frame.collect("pandas")


def first_rows(table: Table, broken: nw.Expr, roles: Sequence[str], limit: int = 3) -> list[str]:
    """Describe the first rows for which an expression holds, by row label or by group."""
    numbered = table.keeps_order and not table.in_pandas
    found = collected((table.numbered() if numbered else table.frame).filter(broken).head(limit))
    if table.in_pandas:
        places = [f"row {show(label)}" for label in nw.to_native(found).index]
    elif numbered:
        places = [f"row {number}" for number in found["row"].to_list()]
    elif any(key in roles for key in table.keys):
        places = ["a row"] * len(found)
    else:
        labels = zip(*(found[key].to_list() for key in table.keys), strict=True)
        places = [
            f"a row of group {show(label if len(label) > 1 else label[0])}" for label in labels
        ]
    values = zip(*(found[role].to_list() for role in roles), strict=True)
    if len(roles) == 1:
        told = [show(value) for (value,) in values]
    else:
        names = [table.names[role] for role in roles]
        told = [
            " and ".join(f"{name} {show(value)}" for name, value in zip(names, row, strict=True))
            for row in values
        ]
    return [f"{place}: {text}" for place, text in zip(places, told, strict=True)]


def hashable(value: object) -> bool:
    """Whether a value can be a label or a name: isinstance is fooled by tuples of lists."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


# internals --------------------------------------------------------------------------------------


def _opened(frame: object, argument: str = "frame") -> Frame:
    try:
        opened = adopted(frame)
    except TypeError:
        raise DataError(
            f"{argument}= takes {ACCEPTED}, but got a value of type {type(frame).__name__}. "
            "Columns in a dict or an array become a frame with pandas.DataFrame(...)."
        ) from None
    except nw.exceptions.DuplicateError as error:
        told = ", ".join(line.strip("- ") for line in str(error).splitlines()[1:])
        raise DataError(
            f"The frame has several columns of the same name: {told}. "
            "Rename or drop them, so that each name means one column."
        ) from None
    return opened


def _given(role: str) -> str:
    """Return the argument that names the column of a role."""
    noun = _noun(role)
    return f"{noun}s" if noun in ("factor", "predictor") else noun


def _noun(role: str) -> str:
    """Return what a role is called: several columns of one are numbered, the arm is a group's."""
    first, *rest = role.split()
    return rest[0] if rest and rest[0].isalpha() else first


def _check_columns(
    present: Sequence[Hashable], wanted: Mapping[str, Hashable], index_names: Sequence[Hashable]
) -> None:
    doubled = [name for name, times in Counter(present).items() if times > 1]
    if doubled:
        raise DataError(
            f"The frame has several columns of the same name: {listed(doubled)}. "
            "Rename or drop them, so that each name means one column."
        )
    roles: dict[Hashable, str] = {}
    for role, name in wanted.items():
        if not hashable(name):
            raise DataError(f"{_given(role)}= takes the name of one column, but got {show(name)}.")
        if name not in Counter(present):
            hint = did_you_mean(name, present)
            if name is not None and name in index_names:
                hint = " It is in the frame's index: use frame.reset_index()."
            raise DataError(
                f"There is no column {show(name)}, given as {_given(role)}=.{hint} "
                f"The frame has {listed(present, 20) or 'no columns'}."
            )
        if role in SHARED:
            continue
        if name in roles:
            raise DataError(
                f"Column {show(name)} is given twice, as {_given(roles[name])}= and as "
                f"{_given(role)}=. Each needs a column of its own."
            )
        roles[name] = role

"""A campaign of bad input: frames by the thousand, most of them broken on purpose.

Each frame goes to one of the constructors. It has to end in data that a naive computation in plain
Python agrees with, or in one of the package's own errors that names the column and, where rows are
at fault, one of them: never in another library's traceback, nor in a warning that is not
hierstan's. Whether it should be refused is decided here, from the finished frame, by rules written
out once more in plain Python. A case is made from its number alone, so a failure says how to see it
again: ``make(number)``.

    pytest tests/data/test_bad_input.py -s   # 500 cases, 40 of them fitted
    pytest -m campaign tests/data/test_bad_input.py -s   # 10,000, 400 fitted
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
import os
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import require

import hierstan as hs
from hierstan.text.wording import show

CASES, MANY = 500, int(os.environ.get("HIERSTAN_BAD_INPUT_CASES", "10000"))
SECONDS = 20  # that a case may take, on a busy machine: none may hang
INT_MAX = 2**31 - 1
ROW_FAMILIES = {
    "bernoulli": "binary",
    "gamma": "positive",
    "lognormal": "positive",
    "neg_binomial": "count",
    "normal": "real",
    "poisson": "count",
    "student_t": "real",
}
ONCE = ("estimates", "effect_sizes", "arms")  # one row per group
MEASURES = ("OR", "RR", "RD", "MD", "SMD")
TABLE = {"events": "count", "total": "trials", "mean": "real", "sd": "positive", "n": "trials"}


@dataclass
class Case:
    """A call of a constructor, and what was done to its frame."""

    number: int
    how: str  # estimates, counts, events, rows, arms or effect_sizes
    detail: str  # the family of rows, or the measure
    kinds: dict[str, str]  # what the column of each role must hold
    names: dict[str, Any] = field(default_factory=dict)  # role -> column
    frame: Any = None
    done: list[str] = field(default_factory=list)  # to the frame
    given: Callable[[list[Any]], Any] = list  # how the names of the predictors are given
    says: str | None = None  # what the error must say, where the frame is not even looked at
    engine: str = "pandas"
    plain: Any = None  # the rows of a DuckDB relation, in order

    def call(self) -> Any:
        """Call the constructor."""
        if self.how == "effect_sizes":
            return hs.effect_sizes(self.frame, measure=self.detail, **self.names)
        x = predictors(self)
        more: dict[str, Any] = {"family": self.detail} if self.how == "rows" else {}
        if x or self.given is not list:
            more["predictors"] = self.given([self.names[role] for role in x])
        names = {role: name for role, name in self.names.items() if role not in x}
        return getattr(hs.GroupedData, f"from_{self.how}")(self.frame, **names, **more)

    def __str__(self) -> str:
        frame = self.frame
        if isinstance(frame, pd.DataFrame):  # printing float16 as pandas does overflows
            columns = ((frame.columns[i], list(frame.iloc[:, i])) for i in range(frame.shape[1]))
            frame = "\n".join(f"{name!r}: {column}" for name, column in columns)
        return f"make({self.number}): {self.how} {self.detail}, {self.done}\n{frame}"


# making a case -----------------------------------------------------------------------------------


def make(number: int) -> Case:
    """Make a case from its number."""
    rng = np.random.default_rng([number, 20])
    case = blank(number, rng)
    K = int(rng.integers(1, 3)) if case.how != "effect_sizes" and rng.random() < 0.25 else 0
    J = int(rng.integers(K + 2 if K else 1, 9))
    once = case.how in ONCE
    codes = rng.permutation(J) if once else np.append(np.arange(J), rng.integers(0, J, 3 * J))
    codes = codes if once else rng.permutation(codes)
    columns = {"group": labels(rng, case, J, codes), **values(rng, case, len(codes))}
    columns |= predictor_values(rng, case, K, columns["group"])
    for _ in range(rng.choice([0, 1, 2], p=[0.25, 0.6, 0.15])):
        plant(rng, case, columns)
    case.names = column_names(rng, case)
    parts = [columns[role].rename(case.names[role]) for role in case.names]
    garbage = pd.Series([{"x": 1}, [2], None] * len(codes), name="garbage").head(len(codes))
    case.frame = pd.concat([*parts, garbage], axis=1)
    case.frame.columns = pd.Index([*case.names.values(), "garbage"], tupleize_cols=False)
    dress_index(rng, case)
    if rng.random() < 0.15:
        spoil_frame(rng, case)
    elif rng.random() < 0.2:
        change_engine(rng, case)
    return case


def blank(number: int, rng: np.random.Generator) -> Case:
    """Choose the constructor."""
    choices = ["estimates", "counts", "events", "rows", "rows", "rows", "effect_sizes", "arms"]
    how = str(rng.choice(choices))
    if how == "estimates":
        return Case(number, how, "", {"estimate": "real", "se": "positive"})
    if how == "counts":
        return Case(number, how, "", {"successes": "count", "trials": "trials"})
    if how == "events":
        exposure = {"exposure": "positive"} if rng.random() < 0.6 else {}
        return Case(number, how, "", {"events": "count", **exposure})
    if how == "rows":
        family = str(rng.choice(list(ROW_FAMILIES)))
        return Case(number, how, family, {"outcome": ROW_FAMILIES[family]})
    measure = str(rng.choice(MEASURES)) if how == "effect_sizes" else ""
    parts = ("mean", "sd", "n") if measure in ("MD", "SMD") else ("events", "total")
    arms = ("treatment", "control")
    kinds = {f"{part}_{arm}": TABLE[part] for arm in arms for part in parts}
    return Case(number, how, measure, kinds)


LABELS: dict[str, Callable[[int], Any]] = {
    "text": lambda j: f"group {j}",
    "whole numbers": lambda j: 7 * j - 9,
    "fractions": lambda j: j / 4 - 1,
    "other scripts": lambda j: "Å北🏪 \n\t'\"{}%"[j] if j else "",
    "pairs": lambda j: ("north", j) if j % 2 else ("south",),
    "times": lambda j: pd.Timestamp("2024-02-29") + pd.Timedelta(days=j),
    "spans": lambda j: pd.Timedelta(hours=j),
    "days": lambda j: datetime.date(2024, 1, 1 + j),
    "bytes": lambda j: bytes([j, 255]),
    "huge": lambda j: 2**70 + j,
    "decimals": lambda j: decimal.Decimal(j) / 8,
    "intervals": lambda j: pd.Interval(j, j + 1),
    "months": lambda j: pd.Period("2024-01", "M") + j,
    "uuids": lambda j: uuid.UUID(int=j),
    "sets": lambda j: frozenset({j}),
    "types": lambda j: (int, str, float, list, dict, set, tuple, bytes)[j],
    "mixed": lambda j: (1, "1", 1.5, ("1",), b"1", True, None.__class__, 2 + 1j)[j],
    "truth values": lambda j: bool(j % 2),
}
DTYPES_OF = {
    "text": ("string", "string[pyarrow]"),
    "other scripts": ("string", "string[pyarrow]"),
    "whole numbers": ("Int64", "int64[pyarrow]"),
}


def labels(rng: np.random.Generator, case: Case, J: int, codes: np.ndarray) -> pd.Series:
    """Make the group column: labels of one of many types, in one of many dtypes."""
    kind = str(rng.choice(list(LABELS)))
    case.done.append(f"labels: {kind}")
    made = [LABELS[kind](j) for j in range(J)]
    plain = kind in ("text", "whole numbers", "fractions", "times", "spans", "truth values")
    column = pd.Series([made[j] for j in codes], dtype=None if plain else object)
    types = ["category", "ordered", *DTYPES_OF.get(kind, ())]
    wanted = str(rng.choice(types)) if rng.random() < 0.4 else ""
    if wanted in ("category", "ordered"):
        order = list(dict.fromkeys(made[j] for j in rng.permutation(J)))
        column = pd.Series(pd.Categorical(column, order, ordered=wanted == "ordered"))
    elif wanted:
        column = column.astype(wanted)
    return column


def values(rng: np.random.Generator, case: Case, n: int) -> dict[str, pd.Series]:
    """Make valid columns, in dtypes that hold them."""
    columns = {}
    scale = 10.0 ** rng.integers(-3, 7)
    for role, kind in case.kinds.items():
        if kind == "real":
            made = pd.Series(rng.normal(rng.normal(0, 3), 1, n) * scale)
        elif kind == "positive":
            made = pd.Series(rng.gamma(2, 1, n) * scale + scale / 100)
        elif kind == "binary":
            made = pd.Series(rng.integers(0, 2, n))
        elif kind == "trials":
            made = pd.Series(rng.integers(2 if role[0] != "n" or rng.random() < 0.8 else 1, 9, n))
        else:
            made = pd.Series(rng.poisson(3, n))
        columns[role] = made
    for few, many in below(case).items():
        columns[many] *= 5
        columns[few] = pd.Series(rng.binomial(columns[many], 0.4))
    return {role: dress(rng, kind, columns[role]) for role, kind in case.kinds.items()}


PREDICTORS: list[dict[str, Callable[[np.random.Generator, int], Any]]] = [
    {  # no two of which, one from each, lie on a line
        "amounts": lambda rng, J: rng.normal(rng.normal(0, 3), 1, J) * 10.0 ** rng.integers(-3, 7),
        "whole numbers": lambda rng, J: rng.permutation(J) + rng.choice([0, 100]),
    },
    {
        "shares": lambda rng, J: rng.random(J),
        "squares": lambda rng, J: rng.permutation(J) ** 2,
        "an indicator": lambda rng, J: rng.permutation(J) == 0,
    },
]
GIVEN: list[Callable[[list[Any]], Any]] = [
    *(list, tuple, iter),
    lambda names: pd.Index(names, dtype=object, tupleize_cols=False),
]


def predictor_values(
    rng: np.random.Generator, case: Case, K: int, group: pd.Series
) -> dict[str, pd.Series]:
    """Add predictors: columns that are the same in all rows of a group, and differ between them."""
    columns = {}
    code = {label: j for j, label in enumerate(dict.fromkeys(group))}
    for k, which in enumerate(rng.permutation(2)[:K], 1):
        kind = str(rng.choice(list(PREDICTORS[which])))
        made = PREDICTORS[which][kind](rng, len(code))
        case.kinds[f"predictor {k}"] = "predictor"
        case.done.append(f"predictor {k}: {kind}")
        column = pd.Series(np.array([made[code[label]] for label in group]))
        columns[f"predictor {k}"] = dress(rng, "predictor", column)
    if K:
        case.given = GIVEN[rng.integers(len(GIVEN))]
    return columns


def predictors(case: Case) -> list[str]:
    """Return the roles of the predictors."""
    return [role for role, kind in case.kinds.items() if kind == "predictor"]


def below(case: Case) -> dict[str, str]:
    """Which counts must not exceed which others."""
    if case.how == "counts":
        return {"successes": "trials"}
    if "events_control" in case.kinds:
        return {f"events_{arm}": f"total_{arm}" for arm in ("treatment", "control")}
    return {}


def dress(rng: np.random.Generator, kind: str, column: pd.Series) -> pd.Series:
    """Give a column one of the dtypes that hold such numbers."""
    if kind == "predictor":
        kind = {"f": "real", "b": "binary"}.get(column.dtype.kind, "count")
    if rng.random() < 0.6:
        return column
    if kind in ("real", "positive"):
        types = ["float32", "Float64", "Float32", "double[pyarrow]", "longdouble"]
    else:
        types = ["int8", "uint8", "int16", "uint64", "float32", "float16", "Int64", "UInt8"]
        types += ["int64[pyarrow]", "float64"] + ["bool", "boolean"] * (kind == "binary")
    return column.astype(str(rng.choice(types)))


# faults ------------------------------------------------------------------------------------------


def at(rng: np.random.Generator, column: pd.Series, value: Any, dtype: Any = None) -> pd.Series:
    """Write a value into some rows, in a dtype that takes it."""
    changed = column.astype(object if dtype is None else dtype)
    for row in rng.choice(len(column), min(len(column), int(rng.integers(1, 4))), replace=False):
        changed.iloc[row] = value
    return changed


def whole(change: Callable[[Any], Any]) -> Callable[[Any, pd.Series], pd.Series]:
    """Make a fault of a change to every value."""
    return lambda _, column: pd.Series([change(value) for value in column.astype(float)])


def some(value: Any, dtype: Any = None) -> Callable[[Any, pd.Series], pd.Series]:
    """Make a fault of a value in some rows."""
    return lambda rng, column: at(rng, column, value, dtype)


def typed(dtype: Any) -> Callable[[Any, pd.Series], pd.Series]:
    """Make a fault of a dtype."""
    return lambda _, column: column.astype(float).astype(dtype)


VALUE_FAULTS: dict[str, Callable[[np.random.Generator, pd.Series], pd.Series]] = {
    "NaN": some(math.nan, float),
    "None": some(None),
    "NA": some(pd.NA),
    "NaT": some(pd.NaT),
    "NA in Float64": some(pd.NA, "Float64"),
    "NA in arrow": some(pd.NA, "double[pyarrow]"),
    "infinity": some(math.inf, float),
    "minus infinity": some(-math.inf, "Float64"),
    "text": some("x"),
    "number as text": some("3"),
    "text column": lambda _, column: column.astype(float).astype(str),
    "string column": typed("string"),
    "arrow strings": typed("string[pyarrow]"),
    "objects": typed(object),
    "bytes": whole(lambda _: b"1"),
    "decimals": whole(lambda value: decimal.Decimal(str(value))),
    "fractions": whole(fractions.Fraction),
    "complex": typed(complex),
    "times": whole(lambda _: pd.Timestamp("2024-01-01")),
    "zoned times": whole(lambda _: pd.Timestamp("2024-01-01", tz="Europe/Oslo")),
    "spans": whole(lambda _: pd.Timedelta(hours=1)),
    "months": whole(lambda _: pd.Period("2024-01", "M")),
    "categories": typed("category"),
    "sparse": lambda _, column: pd.Series(pd.arrays.SparseArray(column.astype(float))),
    "truth values": lambda _, column: column.astype(float) > 1,
    "nullable truth values": lambda _, column: (column.astype(float) > 1).astype("boolean"),
    "missing truth values": lambda rng, column: at(rng, column > 0, pd.NA, "boolean"),
    "lists": whole(lambda value: [value]),
    "arrays": whole(lambda value: np.array([value, value])),
    "dicts": some({}),
    "a function": some(len),
    "a frame": some(pd.DataFrame({"a": [1]})),
    "zero": some(0.0, float),
    "minus zero": some(-0.0, float),
    "negative": some(-1.0, float),
    "negative whole number": lambda rng, column: at(rng, column.astype(float).round(), -1, int),
    "half": some(0.5, float),
    "nearly whole": some(2 + 2**-40, float),
    "two": some(2.0, float),
    "beyond 32 bits": lambda rng, column: at(rng, column.astype(float).round(), 2**31, int),
    "largest": lambda rng, column: at(rng, column.astype(float).round(), INT_MAX, int),
    "beyond 63 bits": lambda rng, column: at(rng, column.astype(float).abs(), 2**63, "uint64"),
    "beyond 64 bits": some(2**70),
    "1e200": some(1e200, float),
    "-1e200": some(-1e200, float),
    "1e145": some(1e145, float),
    "1e-145": some(1e-145, float),
    "1e-200": some(1e-200, float),
    "subnormal": some(5e-324, float),
    "1e4000": lambda rng, column: at(rng, column, np.longdouble("1e4000"), np.longdouble),
}
PREDICTOR_FAULTS: dict[str, Callable[[np.random.Generator, pd.Series, pd.Series], pd.Series]] = {
    "differs": lambda rng, column, _: at(rng, column, column.astype(float).max() + 1, float),
    "differs by rounding": lambda rng, column, _: at(
        rng, column, math.nextafter(float(column.iloc[0]), math.inf), float
    ),
    "of rows": lambda rng, column, _: pd.Series(rng.normal(size=len(column))),
    "constant": lambda _, column, __: column.astype(float) * 0 + 3.1,
    "zeros": lambda _, column, __: pd.Series(0, index=column.index),
    "always true": lambda _, column, __: pd.Series(True, index=column.index),
    "hardly differs": lambda _, column, __: 7e3 + column.astype(float) * 1e-12,
    "huge": lambda _, column, __: column.astype(float) / column.astype(float).abs().max() * 1e145,
    "small": lambda _, column, __: column.astype(float) / column.astype(float).abs().max() / 1e140,
    "the same": lambda _, __, other: other.copy(),
    "reversed": lambda _, __, other: -other.astype(float),
    "on a line": lambda _, __, other: 1 - 2 * other.astype(float),
    "nearly on a line": lambda rng, _, other: at(
        rng, other.astype(float) / 4, other.astype(float).max() * 0.26, float
    ),
    "on a line but for rounding": lambda _, __, other: other.astype(float) / 3 + 1e3,
}
LABEL_FAULTS: dict[str, Any] = {
    "None": None,
    "NaN": math.nan,
    "NA": pd.NA,
    "NaT": pd.NaT,
    "decimal NaN": decimal.Decimal("NaN"),
    "a list": [1, 2],
    "a dict": {"a": 1},
    "a set": {1},
    "a list in a tuple": ("a", [1]),
    "an array": np.array([1, 2]),
    "a frame": pd.DataFrame({"a": [1]}),
}


def plant(rng: np.random.Generator, case: Case, columns: dict[str, pd.Series]) -> None:
    """Plant a fault in a column."""
    role = str(rng.choice(list(columns)))
    if (few := below(case)) and rng.random() < 0.3:
        low, high = list(few.items())[rng.integers(len(few))]
        columns[low], columns[high] = columns[high], columns[low]
        case.done.append(f"{low} and {high} swapped")
        return
    if role != "group":
        x = predictors(case)
        own = role in x and rng.random() < 0.6
        fault = str(rng.choice(list(PREDICTOR_FAULTS if own else VALUE_FAULTS)))
        other = next((columns[each] for each in x if each != role), columns[role])
        try:
            with warnings.catch_warnings(action="error"):
                if own:
                    columns[role] = PREDICTOR_FAULTS[fault](rng, columns[role], other)
                else:
                    columns[role] = VALUE_FAULTS[fault](rng, columns[role])
        except (TypeError, ValueError, ArithmeticError, NotImplementedError, Warning):
            return  # not with what an earlier fault has left
        case.done.append(f"{role}: {fault}")
        return
    column = columns["group"]
    if rng.random() < 0.15:
        known = [label for label in column if not missing(label) and hashable(label)]
        taken = [label if hashable(label) else None for label in column]
        columns["group"] = pd.Series(pd.Categorical(taken, [*dict.fromkeys(known), "unseen"]))
        case.done.append("an unobserved category")
    elif rng.random() < 0.3:
        columns["group"] = at(rng, column, column.iloc[0], column.dtype)
        case.done.append("a repeated label")
    else:
        fault = str(rng.choice(list(LABEL_FAULTS)))
        rows = rng.choice(len(column), min(2, len(column)), replace=False)
        values = list(column)
        for row in rows:
            values[row] = LABEL_FAULTS[fault]
        made = pd.Series([None] * len(values), dtype=object)
        for row, value in enumerate(values):
            made.iat[row] = value
        columns["group"] = made
        case.done.append(f"group: {fault}")


# names, index, the whole frame, other engines ----------------------------------------------------

NAMES: list[Any] = [
    *("group", "y", "se", "estimate", "trials", "outcome", "row", "count", "n_rows", "broken_0"),
    *("mean_y", "theta", "J", "N", "index", "", " ", "with 'quotes\"", "{0}", "{y!r}", "%s"),
    *(0, 1, -1, 2.5, ("a", "b"), (), b"bytes", 2**70, frozenset({1}), pd.Timestamp("2024-01-01")),
    *("Ünï\n", "x" * 200, "select", "a.b", "`tick`", "events_treatment", "squares", "exposure"),
]  # fmt: skip
NOT_LISTS: list[Any] = ["y", b"y", "", None, 3, 2.5, len, list, pd.Timestamp("2024-01-01")]


def column_names(rng: np.random.Generator, case: Case) -> dict[str, Any]:
    """Choose a name for every column, each of them different."""
    roles = ["group", *case.kinds]
    if rng.random() < 0.4:
        return {role: f"my {role}" for role in roles}
    chosen = [NAMES[i] for i in rng.permutation(len(NAMES))]
    if case.how == "effect_sizes":  # names of the result's own columns are refused as a group's
        chosen = [name for name in chosen if name not in ("estimate", "se")]
    return dict(zip(roles, chosen, strict=False))


def dress_index(rng: np.random.Generator, case: Case) -> None:
    """Give the frame one of many indices, which must not matter."""
    n = len(case.frame)
    index: dict[str, Any] = {
        "rows": range(n),
        "text": [f"r{i}" for i in range(n)],
        "repeated": [0] * n,
        "missing": [None] * n,
        "levels": pd.MultiIndex.from_arrays([range(n), ["a"] * n], names=["group", "y"]),
        "times": pd.date_range("2024-01-01", periods=n),
        "reversed": range(n, 0, -1),
    }
    kind = str(rng.choice(list(index)))
    case.frame.index = pd.Index(index[kind])
    case.done.append(f"index: {kind}")


def spoil_frame(rng: np.random.Generator, case: Case) -> None:
    """Spoil the frame as a whole, or the call; note what the error must say."""
    role, x = str(rng.choice(list(case.names))), predictors(case)
    if x and rng.random() < 0.5:
        role = str(rng.choice(x))
    name, frame, given = case.names[role], case.frame, "predictors" if role in x else role
    kinds = ["missing", "doubled", "twice", "empty", "index", "type", "name", "none"]
    kind = rng.choice(kinds + ["list"] * (case.how != "effect_sizes"))
    if kind == "missing":
        case.frame, case.says = frame.drop(columns=[name]), f"There is no column {show(name)}"
    elif kind == "doubled":
        case.frame = pd.concat([frame, frame[[name]]], axis=1)
        case.frame.columns = pd.Index([*frame.columns, name], tupleize_cols=False)
        case.says = f"several columns of the same name: {show(name)}"
    elif kind == "twice":
        other = str(rng.choice([r for r in case.names if r != role]))
        case.names[role], case.says = case.names[other], f"{show(case.names[other])} is given twice"
    elif kind == "empty":
        case.frame, case.says = frame.head(0), "no rows"
    elif kind == "index":
        spare = case.names[role] = "in the index"
        case.frame = frame.rename_axis(["in the index", *([None] * (frame.index.nlevels - 1))])
        case.says = f"There is no column '{spare}', given as {given}=. It is in the frame's index"
    elif kind == "type":
        wrong = (
            None,
            3,
            "frame.csv",
            {"a": [1]},
            [[1]],
            np.zeros((2, 2)),
            pd.Series([1]),
            {1},
            len,
        )
        case.frame, case.says = wrong[rng.integers(len(wrong))], "frame= takes a pandas or polars"
    elif kind == "name":
        # a list of columns is what group= may have, a set is not
        several = {name} if role == "group" else [name]
        case.names[role], case.says = several, f"{given}= takes the name of one column"
    elif kind == "list":
        single = NOT_LISTS[rng.integers(len(NOT_LISTS))]
        case.given = lambda _: single
        case.says = f"predictors= takes a list of columns, such as ['latitude']; got {show(single)}"
    else:
        case.frame, case.says = frame[[]], "The frame has no columns"
    case.done.append(f"frame: {kind}")


def change_engine(rng: np.random.Generator, case: Case) -> None:
    """Move a plain frame to another engine, where it means the same."""
    if not all(type(name) is str for name in case.names.values()):
        return
    used = case.frame[list(case.names.values())]
    plain = all(str(t) in ("int64", "float64", "float32", "bool", "str") for t in used.dtypes)
    if not plain or used[case.names["group"]].isna().any():
        return
    engines = ["polars", "polars lazy", "pyarrow", "duckdb"]
    case.engine = str(rng.choice(engines[:-1] if "" in used else engines))  # DuckDB would rename it
    case.done.append(case.engine)
    columns = {name: used[name].to_numpy() for name in used}
    columns = {n: c.tolist() if c.dtype == object else c for n, c in columns.items()}
    if case.engine in ("pyarrow", "duckdb"):
        pa = require("pyarrow")
        nulls = bool(rng.random() < 0.5)  # or NaN
        case.frame = pa.table({n: pa.array(c, from_pandas=nulls) for n, c in columns.items()})
        if case.engine == "duckdb":
            case.plain, case.frame = case.frame, require("duckdb").from_arrow(case.frame)
    else:
        case.frame = require("polars").DataFrame(columns)
        case.frame = case.frame.lazy() if case.engine == "polars lazy" else case.frame


# what should come out, in plain Python -----------------------------------------------------------


@dataclass
class Complaint:
    """A reason to refuse the frame."""

    column: Any
    rows: list[int]  # positions; none where no row is at fault more than others
    why: str
    says: str = ""  # what the message must say, where it is not of one column's rows
    sure: bool = True  # or a matter of rounding: either way is fine


def in_pandas(case: Case) -> pd.DataFrame:
    """Return the frame as pandas, by role; of another engine the same numbers."""
    frame = case.frame
    if case.engine != "pandas":
        frame = frame.collect() if case.engine == "polars lazy" else frame
        frame = case.plain if case.engine == "duckdb" else frame
        frame = pd.DataFrame({name: frame[name].to_numpy() for name in case.names.values()})
    return pd.DataFrame(
        {role: list(frame[name]) for role, name in case.names.items()}, dtype=object
    )


def dtypes(case: Case) -> dict[str, Any]:
    """Return the dtype of each role's column, as pandas has it."""
    if case.engine == "pandas":
        return {role: case.frame[name].dtype for role, name in case.names.items()}
    return {role: in_pandas(case)[role].infer_objects().dtype for role in case.names}


def missing(value: Any) -> bool:
    """Whether a value is missing."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return bool(value != value)
    return False


def hashable(label: object) -> bool:
    """Whether a label can be hashed."""
    try:
        hash(label)
    except TypeError:
        return False
    return True


def usable(dtype: Any, kind: str) -> bool:
    """Whether a dtype holds numbers (or truth values, where they are wanted)."""
    if isinstance(dtype, (pd.SparseDtype, pd.CategoricalDtype)):
        return False
    if pd.api.types.is_bool_dtype(dtype):
        return kind in ("binary", "predictor")
    return bool(pd.api.types.is_numeric_dtype(dtype)) and dtype.kind != "c" and dtype.itemsize <= 8


def broken(kind: str, role: str, value: Any) -> bool:
    """Whether a number breaks a rule of its kind."""
    value = value if isinstance(value, int) else float(value)
    if kind in ("real", "positive", "predictor") and not -1e145 <= value <= 1e145:
        return True
    if kind == "positive":
        return value <= 0 or (role != "outcome" and value < 1e-145)
    if kind in ("count", "trials"):
        return not (0 <= value <= INT_MAX and value == int(value)) or (kind == "trials") > value
    return kind == "binary" and value not in (0, 1)


def complaints(case: Case) -> list[Complaint]:
    """Say everything that is wrong with a frame whose columns are there."""
    frame, types, found = in_pandas(case), dtypes(case), []
    for role, name in case.names.items():
        gaps = [i for i, value in enumerate(frame[role]) if missing(value)]
        found += [Complaint(name, gaps, "missing")] * bool(gaps)
    if found:
        return found
    for role, kind in case.kinds.items():
        if not usable(types[role], kind):
            found.append(Complaint(case.names[role], [], "type"))
    if found:
        return found + unhashable(case, frame)
    for role, kind in case.kinds.items():
        bad = [i for i, value in enumerate(frame[role]) if broken(kind, role, value)]
        found += [Complaint(case.names[role], bad, "value")] * bool(bad)
    for few, many in below(case).items():
        pairs = enumerate(zip(frame[few], frame[many], strict=True))
        over = [i for i, (a, b) in pairs if a > b]
        found += [Complaint(case.names[few], over, "above")] * bool(over)
    if case.how == "effect_sizes" and "n_control" in case.kinds:
        for role in ("n_treatment", "n_control"):
            one = [i for i, n in enumerate(frame[role]) if n == 1]
            found += [Complaint(case.names[role], one, "one person")] * bool(one)
    found += unhashable(case, frame) + of_groups(case, frame, types["group"])
    unfit = {complaint.column for complaint in found}
    if unfit.isdisjoint(case.names[role] for role in predictors(case)):
        found += of_predictors(case, frame)
    return found


def unhashable(case: Case, frame: pd.DataFrame) -> list[Complaint]:
    """Find labels that cannot be hashed."""
    bad = [row for row, label in enumerate(frame["group"]) if not hashable(label)]
    return [Complaint(case.names["group"], bad, "unhashable")] * bool(bad)


def of_groups(case: Case, frame: pd.DataFrame, dtype: Any) -> list[Complaint]:
    """Find repeated labels, categories without a row, and sums that are too large."""
    if unhashable(case, frame):
        return []
    name, found = case.names["group"], []
    times = Counter(frame["group"])
    doubled = [i for i, label in enumerate(frame["group"]) if times[label] > 1]
    if case.how in ONCE and doubled:
        found.append(Complaint(name, [] if case.how == "effect_sizes" else doubled, "repeated"))
    if isinstance(dtype, pd.CategoricalDtype) and len(dtype.categories) > len(times):
        found.append(Complaint(name, [], "unobserved"))
    if case.detail == "poisson":
        sums: Counter = Counter()
        for label, y in zip(frame["group"], frame["outcome"], strict=True):
            sums[label] += int(y) if y == y and abs(y) < 1e300 else 0
        if max(sums.values()) > INT_MAX:
            found.append(Complaint(case.names["outcome"], [], "sum"))
    return found


def of_predictors(case: Case, frame: pd.DataFrame) -> list[Complaint]:
    """Find predictors that differ within a group, or that the groups cannot tell apart."""
    x, found, exact = predictors(case), [], {}
    if not x or unhashable(case, frame):
        return []
    for role in x:
        seen: dict[Hashable, set[float]] = {}
        for label, value in zip(frame["group"], frame[role], strict=True):
            seen.setdefault(label, set()).add(float(value))
        rows = [i for i, label in enumerate(frame["group"]) if len(seen[label]) > 1]
        found += [Complaint(case.names[role], rows, "differs within a group")] * bool(rows)
        exact[role] = [fractions.Fraction(min(values)) for values in seen.values()]
    if found:
        return found
    n_groups = len(exact[x[0]])
    if n_groups < len(x) + 2:
        says = f"{len(x)} predictor{'s' * (len(x) > 1)} of {n_groups} groups: "
        found.append(Complaint(None, [], "too few groups", says))
    for role in x:
        says = f"Predictor {show(case.names[role])} is the same in every group"
        found += [Complaint(case.names[role], [], "constant", says)] * (len({*exact[role]}) < 2)
        spread = float(max(exact[role]) - min(exact[role]))
        says = f"Predictor {show(case.names[role])} differs so little between the groups"
        lost = Complaint(case.names[role], [], "hardly differs", says, sure=spread < 1e-146)
        found += [lost] * (0 < spread < 1e-144)
    if len(x) == 2 and not found:
        off = off_a_line(exact[x[0]], exact[x[1]])
        first, last = (show(case.names[role]) for role in x)
        says = f"Predictor {last} says nothing that the others do not say already: "
        says += f"it is a sum of multiples of {first} and a constant"
        alike = Complaint(case.names[x[1]], [], "collinear", says, sure=off == 0)
        sizes = [
            float(max(map(abs, exact[role])) / (max(exact[role]) - min(exact[role]))) for role in x
        ]
        found += [alike] * (off < max(1e-26, (1e-14 * n_groups * max(sizes)) ** 2))
    return found


def off_a_line(x: list[fractions.Fraction], y: list[fractions.Fraction]) -> float:
    """Return the share of a variance that another column does not explain: 0 on a line."""
    means = sum(x) / len(x), sum(y) / len(y)
    products = [(a - means[0], b - means[1]) for a, b in zip(x, y, strict=True)]
    xx, yy = sum(a * a for a, _ in products), sum(b * b for _, b in products)
    return float(1 - sum(a * b for a, b in products) ** 2 / (xx * yy))


def expected_groups(case: Case, frame: pd.DataFrame) -> list[Hashable]:
    """Return the labels in the order that they should have."""
    dtype = dtypes(case)["group"]
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories.tolist()
    found = list(dict.fromkeys(frame["group"]))
    return sorted(found) if case.engine == "duckdb" else found  # which promises no order


def naive(case: Case, frame: pd.DataFrame, label: Hashable) -> list[tuple[float, ...]]:
    """Reduce the rows of a group, by the textbook and one at a time."""
    mine = [i for i, other in enumerate(frame["group"]) if other == label]
    roles = [role for role in case.kinds if role not in predictors(case)]
    column = {role: [float(frame[role].iat[i]) for i in mine] for role in roles}
    if case.how == "arms":
        (arms,) = zip(*column.values(), strict=True)
        events_treatment, total_treatment, events_control, total_control = arms
        return [(events_control, total_control, 0.0), (events_treatment, total_treatment, 1.0)]
    if case.how != "rows":
        return list(zip(*column.values(), *([[1.0] * len(mine)] * (len(column) < 2)), strict=True))
    y, n = column["outcome"], float(len(mine))
    mean = math.fsum(y) / n
    if case.detail == "student_t":
        return [(value,) for value in y]
    if case.detail in ("bernoulli", "poisson"):
        return [(math.fsum(y), n)]
    if case.detail == "neg_binomial":
        return sorted((value, float(times), 1.0) for value, times in Counter(y).items())
    if case.detail == "normal":
        return [(mean, n, math.fsum((value - mean) ** 2 for value in y))]
    logs = [math.log(value) for value in y]
    middle = math.fsum(logs) / n
    if case.detail == "gamma":
        return [(mean, n, middle)]
    return [(math.exp(middle), n, math.fsum((value - middle) ** 2 for value in logs))]


def check_data(case: Case, data: hs.GroupedData) -> None:
    """Hold the data against the naive computation."""
    frame = in_pandas(case)
    groups = data.groups.tolist()
    assert groups == expected_groups(case, frame)
    n_rows = len(frame) * (2 if case.how == "arms" else 1)
    assert data.n_rows == n_rows
    assert data.columns == case.names
    columns = [name for name in data.cells if name != "group"]
    for code, label in enumerate(groups):
        found = data.cells.loc[data.cells["group"] == code, columns].astype(float)
        expected = np.array(naive(case, frame, label))
        size = np.abs([float(v) for v in frame[next(iter(case.kinds))]]).max() + 1
        np.testing.assert_allclose(
            found[columns[:1]], expected[:, :1], rtol=1e-12, atol=1e-13 * size
        )
        rest = {"rtol": 1e-9, "atol": (1e-13 * size) ** 2 * len(frame)}
        np.testing.assert_allclose(found[columns[1:]], expected[:, 1:], **rest)
    entries = data.stan_data()
    assert entries["J"] == len(groups)
    assert entries["group"].min() == 1
    assert data.to_frame()["n"].sum() == n_rows
    check_predictors(case, frame, data)


def check_predictors(case: Case, frame: pd.DataFrame, data: hs.GroupedData) -> None:
    """Hold the predictors, and what the program reads of them, against the naive computation."""
    x, entries = predictors(case), data.stan_data()
    if not x:
        assert data.predictors is None
        assert "x" not in entries
        return
    assert data.predictors.index.equals(data.groups)
    assert data.predictors.columns.tolist() == [case.names[role] for role in x]
    assert entries["K"] == len(x)
    for k, role in enumerate(x):
        by_label = {label: float(v) for label, v in zip(frame["group"], frame[role], strict=True)}
        expected = [by_label[label] for label in data.groups]
        assert data.predictors.iloc[:, k].tolist() == expected
        mean = math.fsum(expected) / len(expected)
        sd = math.sqrt(math.fsum((v - mean) ** 2 for v in expected) / (len(expected) - 1))
        lost = 1e-15 * max(map(abs, expected)) / sd  # where the mean is large against the spread
        z = [(v - mean) / sd for v in expected]
        np.testing.assert_allclose(entries["x"][:, k], z, rtol=1e-9, atol=1e-12 + 8 * lost)


def check_sizes(case: Case, found: pd.DataFrame) -> None:
    """Hold effect sizes against the textbook, trial by trial."""
    frame = in_pandas(case)
    assert list(found.columns) == [case.names["group"], "estimate", "se"]
    assert list(found[case.names["group"]]) == list(frame["group"])
    for i in range(len(frame)):
        row = [float(frame[role].iat[i]) for role in case.kinds]
        estimate, variance = textbook(case.detail, *row)
        assert found["estimate"].iat[i] == pytest.approx(estimate, rel=1e-6, abs=1e-9)
        assert found["se"].iat[i] == pytest.approx(math.sqrt(variance), rel=1e-6)


def textbook(measure: str, *row: float) -> tuple[float, float]:
    """Return an effect size and its variance (Borenstein et al. 2009)."""
    if measure in ("MD", "SMD"):
        m1, s1, n1, m2, s2, n2 = row
        if measure == "MD":
            return m1 - m2, s1**2 / n1 + s2**2 / n2
        k = n1 + n2 - 2
        pooled = math.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / k)
        j = 1 - 3 / (4 * k - 1)  # of which the exact gamma functions differ in small samples alone
        if k < 1e4:
            j = math.exp(math.lgamma(k / 2) - math.lgamma((k - 1) / 2)) / math.sqrt(k / 2)
        g = j * (m1 - m2) / pooled
        return g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))
    a, n1, c, n2 = row
    b, d = n1 - a, n2 - c
    if 0 in (a, b, c, d):
        a, b, c, d = (cell + 0.5 for cell in (a, b, c, d))
    n1, n2 = a + b, c + d
    if measure == "OR":
        return math.log(a * d / b / c), 1 / a + 1 / b + 1 / c + 1 / d
    if measure == "RR":
        return math.log(a / n1 / (c / n2)), b / (a * n1) + d / (c * n2)
    return a / n1 - c / n2, a * b / n1**3 + c * d / n2**3


# the campaign ------------------------------------------------------------------------------------


def outcome(case: Case) -> tuple[str, Any]:
    """Run a case; say how it ended, having checked that it ended well."""
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            made = case.call()
        except hs.DataError as error:
            made = error
    assert [w for w in said if not issubclass(w.category, hs.HierstanWarning)] == []
    assert time.monotonic() - start < SECONDS
    refused = isinstance(made, hs.DataError)
    if case.says is not None:
        assert refused
        assert case.says in str(made)
        return "refused: the frame as a whole", None
    wrong = complaints(case)
    if not refused and not any(complaint.sure for complaint in wrong):
        (check_sizes if case.how == "effect_sizes" else check_data)(case, made)
        return "right data", made
    assert refused, f"nobody minds {wrong}"
    assert wrong, f"a good frame is refused: {made}"
    message = str(made)
    for complaint in wrong:
        says = complaint.says or f"Column {complaint.column!r}"
        if says in message and names_a_row(case, complaint, message):
            return f"refused: {complaint.why}", None
    raise AssertionError(f"{message!r} does not name the column and a row of {wrong}")


def names_a_row(case: Case, complaint: Complaint, message: str) -> bool:
    """Whether a message names a row that is at fault, where one is."""
    if not complaint.rows:
        return True
    if complaint.why == "differs within a group":
        groups = in_pandas(case)["group"]
        return any(f"group {show(groups.iat[row])}: from " in message for row in complaint.rows)
    if case.how == "effect_sizes" and complaint.why == "one person":
        groups = in_pandas(case)["group"]
        return any(f"{show(groups.iat[row])} (" in message for row in complaint.rows)
    if case.engine == "duckdb":  # which has no rows to number
        groups = in_pandas(case)["group"]
        names = [f"a row of group {show(groups.iat[row])}: " for row in complaint.rows]
        return any(name in message for name in names) or " rows" in message
    index = case.frame.index.tolist() if case.engine == "pandas" else range(10**6)
    shown = [show(index[row]) for row in complaint.rows]
    listed = message.partition(" in rows ")[2]
    return any(f"row {label}: " in message or label in listed for label in shown)


def campaign(numbers: range, fitted: int) -> None:
    """Run cases, fit some of those that are accepted, and print how they ended."""
    ends: Counter[str] = Counter()
    good, failures = [], []
    start = time.monotonic()
    for number in numbers:
        case = make(number)
        try:
            end, made = outcome(case)
        except Exception as error:  # any other library's traceback is what this is looking for
            failures.append(f"{type(error).__name__}: {error}\n{case}")
            continue
        ends[end] += 1
        if isinstance(made, hs.GroupedData):
            good.append((case, made))
    for case, data in good[:: max(1, len(good) // fitted)][:fitted]:
        try:
            ends[fit(case, data)] += 1
        except Exception as error:
            failures.append(f"fit, {type(error).__name__}: {error}\n{case}")
    print(f"\n{len(numbers):,} frames in {time.monotonic() - start:.0f} s")
    print("\n".join(f"{count:7,} {end}" for end, count in ends.most_common()))
    assert not failures, f"{len(failures)} failures\n\n" + "\n\n".join(failures[:5])


def fit(case: Case, data: hs.GroupedData) -> str:
    """Fit data that passed, with few draws."""
    models = (hs.CompletePooling, hs.NoPooling, hs.PartialPooling)
    model = models[case.number % 3]()
    options = {"seed": 1, "engine": "stanli", "chains": 2, "warmup": 100, "draws": 25}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        if len(data.groups) == 1 and model.name == "partial":
            with pytest.raises(hs.DataError, match="cannot learn how much groups differ"):
                model.fit(data, progress=False, **options)
            return "fit refused: one group"
        found = model.fit(data, progress=False, **options)
    assert found.draws("theta").shape == (50, len(data.groups))
    assert np.isfinite(found.draws("theta")).all()
    assert hs.group_means(found).index.tolist() == data.groups.tolist()
    if not predictors(case):
        return "fitted"
    if model.name != "none":  # which has no use for them
        slopes = hs.coefficients(found)
        assert slopes.index.tolist() == data.predictors.columns.tolist()
        assert np.isfinite(slopes.to_numpy()).all()
    return "fitted, with predictors"


@pytest.mark.slow
def test_frames_end_in_right_data_or_in_an_error_that_helps() -> None:
    campaign(range(CASES), fitted=40)


@pytest.mark.campaign
def test_many_frames_end_in_right_data_or_in_an_error_that_helps() -> None:
    campaign(range(MANY), fitted=400)


@pytest.mark.slow
def test_a_case_is_the_same_each_time() -> None:
    first, again = ([str(make(number)) for number in range(60)] for _ in range(2))
    assert first == again


@pytest.mark.slow
def test_what_is_wrong_is_seen() -> None:
    found: Counter[str] = Counter()
    for number in range(600):
        case = make(number)
        if case.says is None:
            found.update({complaint.why for complaint in complaints(case)})
    common = {"above", "missing", "repeated", "type", "unhashable", "unobserved", "value"}
    common |= {"collinear", "constant", "differs within a group", "too few groups"}
    assert common <= {*found}


def test_predictors_are_good_to_begin_with() -> None:
    for number in range(200):
        rng, case = np.random.default_rng(number), Case(number, "estimates", "", {})
        columns = predictor_values(rng, case, 2, pd.Series(range(4 + number % 5)))
        x, y = ([fractions.Fraction(float(v)) for v in columns[role]] for role in predictors(case))
        assert off_a_line(x, y) > 1e-9  # and so they differ between the groups


# found by the campaign, or next to what it found --------------------------------------------------

TRIAL = {
    "trial": ["a", "b"],
    **{"m1": [1.0, 1e145], "s1": [1.0, 1e-145], "n1": [9, 9]},
    **{"m2": [2.0, -1e145], "s2": [1.0, 1e-145], "n2": [9, 9]},
}
ARMS = {
    **{"mean_treatment": "m1", "sd_treatment": "s1", "n_treatment": "n1"},
    **{"mean_control": "m2", "sd_control": "s2", "n_control": "n2"},
}


def test_an_effect_size_that_overflows_is_refused() -> None:
    with pytest.raises(hs.DataError, match=r"SMD is too large .* 'b' \(1e\+145 and -1e"):
        hs.effect_sizes(pd.DataFrame(TRIAL), group="trial", measure="SMD", **ARMS)


def test_arms_of_one_person_name_the_column() -> None:
    frame = pd.DataFrame({**TRIAL, "n2": [9, 1]})
    with pytest.raises(hs.DataError, match=r"^Column 'n2': n_control must .* in 'b' \(1\)\. "):
        hs.effect_sizes(frame, group="trial", measure="MD", **ARMS)


ESTIMATES = pd.DataFrame({"g": list("abcdef"), "y": [1.0, 2, 4, 3, 5, 2], "se": 1.0})


def with_predictors(names: Any, **columns: Any) -> hs.GroupedData:
    frame, roles = ESTIMATES.assign(**columns), {"group": "g", "estimate": "y", "se": "se"}
    return hs.GroupedData.from_estimates(frame, **roles, predictors=names)


def test_a_predictor_whose_spread_vanishes_is_refused() -> None:
    with pytest.raises(hs.DataError, match="'x' differs so little between the groups"):
        with_predictors(["x"], x=[0, 0, 0, 0, 0, 1e-170])


def test_a_predictor_in_another_unit_is_refused() -> None:
    year = np.array([2003.0, 2001, 2005, 2000, 2004, 2002])
    with pytest.raises(hs.DataError, match="'w' says nothing that the others do not say"):
        with_predictors(["x", "w"], x=year, w=year / 7)


def test_an_array_without_a_dimension_is_no_list_of_predictors() -> None:
    with pytest.raises(hs.DataError, match="predictors= takes a list of columns"):
        with_predictors(np.array("x"), x=range(6))


def test_what_differs_within_a_group_is_counted_and_shown() -> None:
    frame = pd.DataFrame({"g": list("aabc"), "y": 1.0, "day": [20240101, 20240102, 3, 4]})
    with pytest.raises(hs.DataError, match=r"1 of 3 groups .*'a': from 20240101.* to 20240102"):
        hs.GroupedData.from_rows(frame, group="g", outcome="y", predictors=["day"])


def test_a_repeated_trial_is_called_that_whatever_its_predictor() -> None:
    with pytest.raises(hs.DataError, match="must name each group once"):
        with_predictors(["x"], g=list("aabcde"), x=range(6))


def test_a_predictor_is_called_what_the_frame_calls_it() -> None:
    frame = ESTIMATES.assign(a=0, b=3).rename(columns={"a": 1, "b": 2.5})
    with pytest.raises(hs.DataError, match=r"^Predictor 1, 2\.5 "):
        hs.GroupedData.from_rows(frame, group="g", outcome="y", predictors=[1, 2.5])


# extreme, but legal: fitted for real (more of them: EXTREMES in test_models.py) -------------------


def of_rows(family: str, *groups: Any) -> hs.GroupedData:
    frame = pd.DataFrame({"g": np.repeat(np.arange(len(groups)), [len(ys) for ys in groups])})
    frame["y"] = np.concatenate(groups)
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def many_estimates() -> hs.GroupedData:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": range(5000), "y": rng.normal(2, 1, 5000), "se": 0.5})
    return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")


def single_rows(family: str) -> hs.GroupedData:
    rng = np.random.default_rng(2)
    y = rng.poisson(np.exp(rng.normal(1, 0.5, 5000)))
    return of_rows(family, *np.minimum(y, 1 if family == "bernoulli" else 99)[:, None])


def huge_among_tiny(family: str) -> hs.GroupedData:
    rng = np.random.default_rng(3)
    if family == "normal":
        return of_rows(family, rng.normal(5, 1, 300_000), [4.0], [6.5], [3.0, 4.0], [7.0])
    return of_rows(family, rng.poisson(5, 300_000), [4], [6], [0, 3], [9])


LEGAL: dict[str, tuple[Callable[[], hs.GroupedData], float, float]] = {  # and mean of theta, error
    "5,000 estimates": (many_estimates, 2.0, 0.1),
    "5,000 groups with one count each": (lambda: single_rows("poisson"), 1.0, 0.1),
    "one huge group among tiny ones": (lambda: huge_among_tiny("normal"), 5.0, 1.5),
    "one huge group of counts": (lambda: huge_among_tiny("poisson"), math.log(5), 0.7),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LEGAL)
def test_extreme_data_are_fitted(case: str) -> None:
    make_data, middle, error = LEGAL[case]
    data = make_data()
    options = {"warmup": 150, "draws": 100, "chains": 2, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", **options)
    theta = fit.draws("theta")
    assert theta.shape == (200, len(data.groups))
    assert np.isfinite(theta).all()
    assert abs(theta.mean() - middle) < error
    if "huge" in case:  # the group that says everything about itself stays where its data are
        assert abs(theta[:, 0].mean() - middle) < 0.02
    table = hs.group_means(fit)
    assert len(table) == len(data.groups)
    assert (table["lower"] < table["upper"]).all()


@pytest.mark.parametrize("family", ROW_FAMILIES)
def test_two_groups_of_every_family_are_fitted(family: str) -> None:
    y = [[1, 0, 1], [0, 1]] if family == "bernoulli" else [[1, 2, 4], [3, 2]]
    options = {"warmup": 500, "draws": 500, "chains": 2, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        fit = hs.PartialPooling().fit(of_rows(family, *y), seed=1, engine="stanli", **options)
        assert hs.heterogeneity(fit).verdict
    assert np.isfinite(fit.draws("theta")).all()
    assert fit.draws("tau").min() > 0

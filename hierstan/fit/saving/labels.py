"""Group labels and column names as JSON and back, each of the type it was.

Text, whole numbers, true/false and None are JSON's own; anything else is an object whose one key
names its type.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hierstan.data.labels import several
from hierstan.errors import HierstanError
from hierstan.fit.saving.records import Damaged, entry, items, of_type


def from_groups(groups: pd.Index) -> dict[str, Any]:
    """Record the labels of groups, of one column or several."""
    if not isinstance(groups, pd.MultiIndex):
        return from_labels(groups)
    return {
        "names": [from_label(name, "The column name") for name in groups.names],
        "levels": [from_labels(known) for known in groups.levels],
        "codes": [codes.tolist() for codes in groups.codes],
    }


def to_groups(record: Mapping[str, Any]) -> pd.Index:
    """Return the recorded labels of groups."""
    if "levels" not in record:
        return to_labels(record)
    levels = [to_labels(of_type(known, dict, "labels")) for known in entry(record, "levels", list)]
    names = items(entry(record, "names", list), len(levels), "the groups' columns")
    codes = [
        codes_within(part, len(known))
        for part, known in zip(
            items(entry(record, "codes", list), len(levels), "the groups' codes"),
            levels,
            strict=True,
        )
    ]
    if len({len(part) for part in codes}) != 1:
        raise Damaged("the columns of the groups differ in length")
    return several(levels, codes, [to_label(name) for name in names])


def codes_within(record: Any, size: int) -> np.ndarray:
    """Return recorded codes of labels, of which there are `size`."""
    codes = np.array([of_type(code, int, "a code") for code in of_type(record, list, "codes")])
    if codes.size == 0 or codes.min() < 0 or codes.max() >= size:
        raise Damaged("codes refer to labels that there are not")
    return codes


def from_labels(labels: pd.Index) -> dict[str, Any]:
    """Record group labels; those that would not come back as they are, are refused."""
    record = {
        "dtype": str(labels.dtype),
        "labels": [from_label(label, "The group label") for label in labels],
    }
    try:
        back = to_labels(json.loads(json.dumps(record)))
    except Damaged as error:
        raise _unfit(labels[0], "The group label") from error
    for label, again in zip(labels, back, strict=True):
        if type(label) is not type(again) or label != again:
            raise _unfit(label, "The group label")
    return record


def to_labels(record: Mapping[str, Any]) -> pd.Index:
    """Return recorded group labels."""
    labels = [to_label(label) for label in entry(record, "labels", list)]
    dtype = entry(record, "dtype", str)
    values = np.empty(len(labels), dtype=object)
    values[:] = labels
    try:
        return pd.Index(values, dtype=dtype, name="group", tupleize_cols=False)
    except (TypeError, ValueError, OverflowError, ImportError):
        # a dtype that this pandas does not have: what it would take itself
        return pd.Index(labels, name="group", tupleize_cols=False)


def from_label(label: Hashable, what: str) -> Any:
    """Record a label or a column's name."""
    if label is None or type(label) in (str, bool, int):
        return label
    exact = np.generic if isinstance(label, np.generic) else type(label)
    for name, kind in KINDS.items():
        if kind.type is exact:
            return {name: kind.parts(label, what)}
    raise _unfit(label, what)


def to_label(record: Any) -> Hashable:
    """Return a recorded label."""
    if record is None or isinstance(record, (str, bool, int)):
        return record
    ((name, parts),) = items(list(of_type(record, dict, "a label").items()), 1, "a label")
    if name not in KINDS:
        raise Damaged(f"{name!r} is not a kind of label")
    try:
        return KINDS[name].label(parts)
    except Damaged:
        raise
    except (TypeError, ValueError, OverflowError, LookupError, AttributeError) as error:
        raise Damaged(f"a label of kind {name!r} is impossible ({error})") from error


# internals --------------------------------------------------------------------------------------


PLAIN = "biufU"  # kinds of numpy scalars that JSON can hold


class _Kind(NamedTuple):
    """How a type of label is taken apart into JSON and put together again."""

    type: type
    parts: Callable[[Any, str], Any]
    label: Callable[[Any], Hashable]


def _from_timestamp(label: pd.Timestamp, what: str) -> list[Any]:
    zone = None if label.tz is None else str(label.tz)
    return [int(label.asm8.astype(np.int64)), label.unit, zone]


def _to_timestamp(parts: Any) -> pd.Timestamp:
    count, unit, zone = items(parts, 3, "a timestamp")
    label = pd.Timestamp(np.datetime64(of_type(count, int, "a time"), unit))
    return label if zone is None else label.tz_localize("UTC").tz_convert(zone)


def _to_timedelta(parts: Any) -> pd.Timedelta:
    count, unit = items(parts, 2, "a timedelta")
    return pd.Timedelta(np.timedelta64(of_type(count, int, "a time"), unit))


def _to_interval(parts: Any) -> pd.Interval:
    left, right, closed = items(parts, 3, "an interval")
    return pd.Interval(to_label(left), to_label(right), closed)


def _from_number(label: np.generic, what: str) -> list[Any]:
    if label.dtype.kind not in PLAIN:
        raise _unfit(label, what)
    return [label.dtype.str, from_label(label.item(), what)]


def _to_number(parts: Any) -> np.generic:
    name, value = items(parts, 2, "a number")
    dtype = np.dtype(of_type(name, str, "a type of number"))
    if dtype.kind not in PLAIN:
        raise Damaged(f"{name!r} is not a type of number")
    number: np.generic = dtype.type(to_label(value))
    return number


KINDS = {
    "float": _Kind(float, lambda label, _: repr(label), lambda text: float(text)),
    "tuple": _Kind(
        tuple,
        lambda label, what: [from_label(part, what) for part in label],
        lambda parts: tuple(to_label(part) for part in of_type(parts, list, "a tuple")),
    ),
    "timestamp": _Kind(pd.Timestamp, _from_timestamp, _to_timestamp),
    "timedelta": _Kind(
        pd.Timedelta,
        lambda label, _: [int(label.asm8.astype(np.int64)), label.unit],
        _to_timedelta,
    ),
    "date": _Kind(
        datetime.date, lambda label, _: label.isoformat(), datetime.date.fromisoformat
    ),
    "datetime": _Kind(
        datetime.datetime, lambda label, _: label.isoformat(), datetime.datetime.fromisoformat
    ),
    "interval": _Kind(
        pd.Interval,
        lambda label, what: [
            from_label(label.left, what), from_label(label.right, what), label.closed
        ],
        _to_interval,
    ),
    "period": _Kind(
        pd.Period,
        lambda label, _: [str(label), label.freqstr],
        lambda parts: pd.Period(*items(parts, 2, "a period")),
    ),
    "numpy": _Kind(np.generic, _from_number, _to_number),
}  # fmt: skip


def _unfit(label: Hashable, what: str) -> HierstanError:
    kind = type(label)
    return HierstanError(
        f"{what} {label!r} cannot be saved and read back as it is: it is a "
        f"{kind.__module__}.{kind.__qualname__}. Text, numbers, true/false, dates, times, "
        "intervals and tuples of these can; turn the column into one of them, as with "
        ".astype(str), and fit again."
    )

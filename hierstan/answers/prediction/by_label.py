"""Values of groups, given by label or in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from hierstan.errors import DataError
from hierstan.text.wording import listed


def by_label(
    name: str, value: object, labels: list[Hashable], known: pd.Index | tuple[()] = ()
) -> np.ndarray:
    """Return one value for each label: where the values have labels, these decide.

    Labels of `known` groups are allowed though they are not wanted.

    Raises
    ------
    DataError
        For labels of no group, doubled or missing ones, or as many values as there are no groups.

    Examples
    --------
    >>> by_label("se=", {"b": 2.0, "a": 1.0}, ["a", "b"])
    array([1., 2.])
    """
    if isinstance(value, Mapping):
        told: Mapping[object, object] = value
        value = pd.Series(list(told.values()), pd.Index([*told], tupleize_cols=False))
    if isinstance(value, pd.Series):
        index = list(value.index)
        if not _merely_numbered(value.index, labels):
            _check_labels(name, index, labels, known)
            place = {label: at for at, label in enumerate(index)}
            value = value.iloc[[place[label] for label in labels]]
    array = np.asarray(value)
    if array.ndim == 0:
        return np.full(len(labels), array)
    if array.shape != (len(labels),):
        raise DataError(
            f"{name} takes one number, one for each of the {len(labels)} groups predicted, or a "
            f"mapping by label; got {len(array)} numbers."
        )
    return array


# internals ------------------------------------------------------------------------------------


def _merely_numbered(index: pd.Index, labels: list[Hashable]) -> bool:
    """Whether an index holds row numbers, since the groups are not called by numbers."""
    whole = index.dtype.kind in "iu" and index.nlevels == 1
    return whole and not any(isinstance(label, (int, np.integer, float)) for label in labels)


def _check_labels(
    name: str, given: list[Hashable], wanted: list[Hashable], known: pd.Index | tuple[()]
) -> None:
    """Refuse labels that are no group's, several times the same, or lack a group."""
    if doubled := [label for label, times in Counter(given).items() if times > 1]:
        raise DataError(f"{name} speaks of {listed(doubled)} more than once.")
    cure = "Values in the order of the groups need no labels: frame.reset_index(drop=True)."
    allowed = {*wanted, *known}
    if foreign := [label for label in given if label not in allowed]:
        raise DataError(
            f"{name} has values for {listed(foreign)}, but the groups predicted are "
            f"{listed(wanted, 8)}. {cure}"
        )
    if missing := [label for label in wanted if label not in set(given)]:
        raise DataError(f"{name} says nothing about {listed(missing)}.")

"""Customers in two parts: who bought, and how much those who bought spent."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data import intake
from hierstan.data.frames import Table, collected, first_rows, open_table
from hierstan.data.grouped_data import GroupedData
from hierstan.data.labels import fetch_rows
from hierstan.data.validation import check
from hierstan.errors import DataError, HierstanWarning, warn
from hierstan.families import FAMILIES, accepted_by, default
from hierstan.families.bernoulli import Bernoulli
from hierstan.families.collapse import adopted
from hierstan.text.answer import AnswerTable, answer
from hierstan.text.wording import broken_by, show

CLEARLY = 4.0  # by how much the log likelihoods must differ


@dataclass(frozen=True, eq=False, repr=False)
class TwoPartData:
    """The two tables of a two-part model, reduced inside the user's dataframe engine.

    Attributes
    ----------
    rate : GroupedData
        Every customer: bought or not (bernoulli).
    amount : GroupedData
        The buyers: how much. Its groups are those of `rate` that have buyers,
        in the same order.
    table : pandas.DataFrame
        One line per group of `rate`: ``customers``, ``buyers`` and ``raw``, the revenue per
        customer.

    Examples
    --------
    >>> import pandas as pd
    >>> from hierstan.data.two_part import take
    >>> frame = pd.DataFrame({"segment": ["a", "a", "b", "b", "c"], "spent": [0, 8, 6, 2, 0]})
    >>> take(frame, group="segment", outcome="spent", amounts=["gamma"])
    TwoPartData(gamma: 3 groups, 5 customers, 3 buyers)
    """

    rate: GroupedData
    amount: GroupedData
    table: pd.DataFrame

    @property
    def groups(self) -> pd.Index:
        """The group labels."""
        return self.rate.groups

    @property
    def grouped_by(self) -> str:
        """The user's word for a group: the name of the column."""
        return self.rate.grouped_by

    @property
    def outcome(self) -> str:
        """The user's name for what a customer spent."""
        return str(self.amount.columns["outcome"])

    @property
    def columns(self) -> dict[str, Hashable]:
        """The user's column of each role."""
        return self.rate.columns

    def __str__(self) -> str:
        return self._told().__repr__()

    def _repr_html_(self) -> str:
        return self._told()._repr_html_()

    def _told(self) -> AnswerTable:
        told = answer(self.table, self.columns["group"])
        told.attrs["caption"] = f"{self!r}: what each group says on its own"
        return told

    def __repr__(self) -> str:
        return (
            f"TwoPartData({self.amount.family}: {len(self.groups):,} groups, "
            f"{self.table['customers'].sum():,} customers, {self.table['buyers'].sum():,} buyers)"
        )


def take(
    frame: object, *, group: Hashable, outcome: Hashable, amounts: Sequence[str]
) -> TwoPartData:
    """Check a frame with one customer per row, and split it; see `hierstan.TwoPart.fit`.

    Of several families of amounts, the first is taken unless another is clearly likelier.
    """
    table = open_table(frame, {"group": group, "outcome": outcome})
    n_rows = check(table, {"outcome": "real"})
    if FAMILIES[amounts[0]].positive:
        _check_not_negative(table, n_rows)
    bought = nw.col("outcome").cast(nw.Float64) != 0
    rate = _taken(replace(table, frame=table.frame.with_columns(bought.alias("outcome"))))
    if rate.cells["y"].sum() == 0:
        raise DataError(
            f"{table.column('outcome')} is 0 in all {n_rows:,} rows: nobody bought, so there are "
            "no amounts to learn from. Use GroupedData.from_rows with family='bernoulli'."
        )
    if rate.cells["y"].sum() == n_rows:
        warn(
            f"{table.column('outcome')} is 0 in none of the {n_rows:,} rows: everybody bought, so "
            "the rate says nothing. If a row is the total of many customers, give customers=, "
            "buyers=, revenue= and squares=; else fit the amounts alone, with "
            "GroupedData.from_rows and family='lognormal'."
        )
    buyers = _plain_labels(replace(table, frame=table.frame.filter(bought)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)  # said of the same labels above
        paid = _in_order(_taken(buyers, default("means")), rate.groups)
        amount = _in_order(_likeliest([_taken(buyers, name) for name in amounts]), rate.groups)
    share = rate.cells["y"].to_numpy() / rate.cells["trials"].to_numpy()
    mean = pd.Series(paid.cells["y"].to_numpy(), index=np.flatnonzero(share))
    raw = mean.reindex(range(len(share)), fill_value=0.0).to_numpy() * share
    return joined(rate, amount, raw)


def take_totals(
    frame: object,
    *,
    group: Hashable,
    customers: Hashable,
    buyers: Hashable,
    revenue: Hashable,
    squares: Hashable,
    amounts: str,
) -> TwoPartData:
    """Check a frame with the totals of one group per row; see `hierstan.TwoPart.fit`."""
    if amounts not in accepted_by("means"):
        enough = default("means")
        raise DataError(
            f"Totals say all that amounts={enough!r} needs, and too little for amounts={amounts!r}"
            f": give one row per customer, or use amounts={enough!r}."
        )
    columns = {"customers": customers, "buyers": buyers, "revenue": revenue, "squares": squares}
    table = open_table(frame, {"group": group, **columns})
    check(table, {"customers": "trials", "buyers": "count", "revenue": "real", "squares": "real"})
    labels, rows = fetch_rows(table)
    totals = rows.groupby("group", as_index=False).sum()
    totals["label"] = labels.take(totals["group"].to_numpy())
    paid = _moments(totals[totals["buyers"] > 0], table)
    rate = GroupedData.from_counts(totals, group="label", successes="buyers", trials="customers")
    amount = GroupedData.from_means(paid, group="label", mean="mean", sd="sd", n="buyers")
    return joined(
        replace(rate, columns={"group": group, **columns}),
        replace(amount, columns={"group": group, "outcome": revenue}),
        (totals["revenue"] / totals["customers"]).to_numpy(),
    )


def joined(rate: GroupedData, amount: GroupedData, raw: np.ndarray) -> TwoPartData:
    """Put the data of both parts together, with the revenue per customer of each group, (J,)."""
    counts = pd.DataFrame({"customers": rate.cells["trials"], "buyers": rate.cells["y"]})
    counts.index = rate.groups
    return TwoPartData(rate, amount, counts.assign(raw=raw))


# internals ------------------------------------------------------------------------------------


def _moments(totals: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return mean and standard deviation of what the buyers of each group spent."""
    n, squares = totals["buyers"].astype(float), totals["squares"].astype(float)
    mean = totals["revenue"] / n
    within = squares - n * mean**2
    if (within < -1e-9 * squares).any() or totals.empty:
        raise DataError(
            f"{table.column('squares')} must be the sum of the squares of what buyers spent, which "
            "is at least revenue^2 / buyers, and some group must have buyers."
        )
    return totals.assign(mean=mean, sd=np.sqrt(within.clip(lower=0) / np.maximum(n - 1, 1)))


def _likeliest(data: Sequence[GroupedData]) -> GroupedData:
    """Return the first, or the one under whose family the amounts are clearly likelier."""
    first, *others = data
    found = first
    if others:
        least = FAMILIES[first.family].best_log_lik(first.cells) + CLEARLY
        for other in others:
            value = FAMILIES[other.family].best_log_lik(other.cells)
            if value > least:
                found, least = other, value
    return found


def _taken(table: Table, family: str = Bernoulli.name) -> GroupedData:
    return GroupedData(*intake.take_rows(table, "rows", family))


def _check_not_negative(table: Table, n_rows: int) -> None:
    broken = nw.col("outcome") < 0
    count = int(collected(table.frame.select(broken.cast(nw.Int64).sum()))["outcome"][0] or 0)
    if count:
        rows = first_rows(table, broken, ("outcome",))
        raise DataError(
            f"{table.column('outcome')} must be 0 (did not buy) or an amount above 0; "
            f"{broken_by(count, n_rows, rows)}. Net refunds against the purchase, and correct or "
            "drop the rows that stay below 0; or use amounts='normal' (of many buyers) or "
            "amounts='student_t', which take amounts below 0."
        )


def _plain_labels(table: Table) -> Table:
    """Turn categories into plain labels: not every category has to have a buyer."""
    dtype = table.frame.collect_schema()["group"]
    if isinstance(dtype, nw.Enum):
        return replace(table, frame=table.frame.with_columns(nw.col("group").cast(nw.String)))
    like_pandas = table.in_pandas or table.frame.implementation.is_dask()
    if dtype != nw.Categorical or not like_pandas:
        return table
    native = nw.to_native(table.frame)
    labels = native["group"].astype(native["group"].cat.categories.dtype)
    return replace(table, frame=adopted(native.assign(group=labels)))


def _in_order(data: GroupedData, groups: pd.Index) -> GroupedData:
    """Put the groups of some data in the order that they have among others."""
    place = {label: code for code, label in enumerate(groups)}
    at = np.array([place[label] for label in data.groups])
    code = np.argsort(np.argsort(at))  # the new code of each old one
    cells = data.cells.assign(group=code[data.cells["group"]]).sort_values("group", kind="stable")
    rows = None if data.rows is None else data.rows.assign(group=code[data.rows["group"]])
    labels = groups[np.sort(at)]
    return replace(data, groups=labels, cells=cells.reset_index(drop=True), rows=rows)


def describe(data: TwoPartData) -> str:
    """Say how many customers and buyers there are."""
    none = data.groups[data.table["buyers"] == 0]
    words = (
        f"{len(data.groups):,} groups, {data.table['customers'].sum():,} customers, "
        f"{data.table['buyers'].sum():,} of them buyers"
    )
    if len(none) == 0:
        return words
    named = show(none[0]) if len(none) == 1 else f"{len(none):,} groups"
    return f"{words}; none in {named}, whose amounts come from the population"

"""Checks of the user's columns: each error names column, rule, rows with their values, and cure.

The rules are narwhals expressions, so they are counted inside the user's own dataframe engine, all
in one pass over the data; only a broken rule fetches its first few rows.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import narwhals as nw

from hierstan.data.frames import Table, collected, first_rows
from hierstan.errors import DataError
from hierstan.text.wording import broken_by, listed, show

INT_MAX = 2**31 - 1  # Stan's integers have 32 bits
SMALLEST, LARGEST = 1e-145, 1e145  # a billion squares of smaller numbers add up to a finite double


@dataclass(frozen=True)
class Rule:
    """One rule about a column: which rows break it, what it demands, and how to mend them."""

    role: str
    broken: nw.Expr
    must: str
    cure: str
    shown: tuple[str, ...] = ()


def check(table: Table, kinds: Mapping[str, str]) -> int:
    """Check every column in use; return the number of rows.

    Parameters
    ----------
    table : Table
        The user's frame.
    kinds : mapping
        What the column of each role must hold, other than labels: a key of `KINDS`.

    Raises
    ------
    DataError
        For the first rule that is broken: missing values before types before values.
    """
    schema = table.frame.collect_schema()
    labels = (*table.keys, *table.factors, *table.labelled)
    gaps = [_missing(table, role, schema[role]) for role in (*labels, *kinds)]
    unusable = {role: _unusable(kind, schema[role]) for role, kind in kinds.items()}
    rules = [
        rule
        for role, kind in kinds.items()
        if unusable[role] is None
        for rule in KINDS[kind](role, schema[role])
    ]
    if not any(unusable.values()):
        rules += [_at_most(part, whole) for part, whole in PARTS if part in kinds]
    n_rows, broken = _counted(table, [*gaps, *rules])
    if n_rows == 0:
        raise DataError("The frame has no rows. Was everything filtered out before?")
    _refuse_broken(table, gaps, broken[: len(gaps)], n_rows)
    _refuse_types(table, {role: _nested(schema[role]) for role in labels} | unusable, kinds, n_rows)
    _refuse_broken(table, rules, broken[len(gaps) :], n_rows)
    return n_rows


def check_rule(table: Table, rule: Rule) -> None:
    """Check one more rule of a column."""
    n_rows, broken = _counted(table, [rule])
    _refuse_broken(table, [rule], broken, n_rows)


# internals --------------------------------------------------------------------------------------


def _counted(table: Table, rules: list[Rule]) -> tuple[int, list[int]]:
    """Count the rows, and those that break each rule, in one pass."""
    counts = [
        _times(rule.broken, table).alias(f"broken_{number}") for number, rule in enumerate(rules)
    ]
    frame = collected(table.frame.select(nw.len().alias("n_rows"), *counts))
    found = {name: values[0] for name, values in frame.to_dict(as_series=False).items()}
    # the sum over no rows is null in SQL
    return int(found["n_rows"]), [int(found[f"broken_{i}"] or 0) for i in range(len(rules))]


def _times(broken: nw.Expr, table: Table) -> nw.Expr:
    """Return in how many rows an expression holds; not every engine adds up true and false."""
    if table.in_pandas:
        return broken.sum()
    return nw.when(broken).then(nw.lit(1)).otherwise(nw.lit(0)).sum()


def _refuse_broken(table: Table, rules: list[Rule], broken: list[int], n_rows: int) -> None:
    for rule, count in zip(rules, broken, strict=True):
        if count:
            rows = first_rows(table, rule.broken, rule.shown or (rule.role,))
            raise DataError(
                f"{table.column(rule.role)} {rule.must}; {broken_by(count, n_rows, rows)}. "
                f"{rule.cure}"
            )


def _refuse_types(
    table: Table, unusable: Mapping[str, str | None], kinds: Mapping[str, str], n_rows: int
) -> None:
    for role, reason in unusable.items():
        if reason is None:
            continue
        if reason == "Python objects" and table.in_pandas:
            _refuse_objects(table, role, kinds[role], n_rows)
        rows = ", ".join(first_rows(table, ~nw.col(role).is_null(), (role,)))
        wanted, cure = "numbers", "Give a column of plain numbers."
        if reason == "unknown values" and table.in_pandas:  # sparse or complex, say
            reason = f"{nw.to_native(table.frame)[role].dtype} values"
        if reason in ("categories", "decimals", "text"):
            cure = f"Convert it with {table.recipe('numbers', role)}."
        if reason == "true/false values":
            cure = "Yes/no outcomes, one per row, go to from_rows with family='bernoulli'."
        if kinds.get(role) == "predictor" and reason in ("categories", "text"):
            cure = "Labels that describe groups go to factors=."
        if kinds.get(role) == "binary":
            wanted, cure = "0 and 1 (or true/false)", "Recode it."
        if role not in kinds:
            wanted, cure = "one label per row", "Turn it into text or numbers first."
        raise DataError(f"{table.column(role)} must hold {wanted}, not {reason}: {rows}. {cure}")


def _refuse_objects(table: Table, role: str, kind: str, n_rows: int) -> None:
    """Refuse a pandas column of Python objects, telling numbers from everything else."""
    values = nw.to_native(table.frame)[role]
    bad = [
        f"row {show(row)}: {show(value)}"
        for row, value in values.items()
        if not _is_number(value, kind)
    ]
    cure = table.recipe("numbers", role)
    if bad:
        raise DataError(
            f"{table.column(role)} must hold numbers; {broken_by(len(bad), n_rows, bad)}. "
            f"Correct those rows, then convert the column with {cure}."
        )
    raise DataError(
        f"{table.column(role)} holds Python objects: {listed(values.tolist())}. All of them are "
        f"numbers, so convert the column with {cure}."
    )


def _is_number(value: object, kind: str) -> bool:
    counts = isinstance(value, numbers.Real | Decimal)
    return counts and (kind in ("binary", "predictor") or type(value) is not bool)


def _nested(dtype: nw.dtypes.DType) -> str | None:
    return "lists or records" if dtype.is_nested() else None


def _unusable(kind: str, dtype: nw.dtypes.DType) -> str | None:
    """Say what a column holds instead of numbers, or None where it holds numbers."""
    if kind == "category":
        return "true/false values" if dtype == nw.Boolean else _nested(dtype)
    if dtype == nw.Boolean:
        return None if kind in ("binary", "predictor") else "true/false values"
    if dtype.is_integer() or dtype.is_float():
        return None
    if dtype == nw.Categorical or isinstance(dtype, nw.Enum):
        return "categories"
    names = {nw.Decimal: "decimals", nw.String: "text", nw.Object: "Python objects"}
    other = f"{dtype.base_type().__name__.lower()} values"
    return next((name for known, name in names.items() if dtype == known), other)


# the rules, kind by kind


def _number(role: str) -> nw.Expr:
    return nw.col(role).cast(nw.Float64)  # literals such as INT_MAX overflow narrower types


def _missing(table: Table, role: str, dtype: nw.dtypes.DType) -> Rule:
    broken = nw.col(role).is_null()
    if dtype.is_float():  # NaN is not null in most engines
        broken = broken | nw.col(role).is_nan()
    cure = f"Drop those rows, with {table.recipe('missing', role)}, or fill them in."
    return Rule(role, broken, "must not have missing values", cure)


def _real(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    if not dtype.is_float():
        return []
    within = f"must lie within ±{LARGEST:g}, so that its square stays finite"
    unit = "Correct those rows, or express the column in a larger unit."
    return [
        Rule(role, ~nw.col(role).is_finite(), "must be finite", "Correct or drop those rows."),
        Rule(role, _number(role).abs() > LARGEST, within, unit),
    ]


def _positive(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    cure = "Correct or drop those rows."
    if role == "outcome":
        cure = "Choose a family that has such values, such as family='normal', or correct them."
    if role == "se":
        cure = "A standard error of 0 would mean certainty: correct or drop those rows."
    rules = [*_real(role, dtype), Rule(role, _number(role) <= 0, "must be greater than 0", cure)]
    if role != "outcome":
        above = f"must be at least {SMALLEST:g}, so that its square does not vanish"
        unit = "Correct those rows, or express the column in a smaller unit."
        rules.append(Rule(role, _number(role) < SMALLEST, above, unit))
    return rules


def _not_negative(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    cure = "Correct or drop those rows."
    return [*_real(role, dtype), Rule(role, _number(role) < 0, "must not be negative", cure)]


def _ratio(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    cure = "Ratios are above 0: correct those rows or, for logs of ratios, leave ratios= out."
    return [*_real(role, dtype), Rule(role, _number(role) <= 0, "must be greater than 0", cure)]


def _count(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    number = _number(role)
    within = number.clip(-1, INT_MAX + 1)  # ibis floors to integers, which have no infinity
    whole = "Counts are 0, 1, 2, ...: correct those rows, or choose a family for amounts."
    most = f"must be at most {INT_MAX:,}, Stan's largest integer"
    return [
        *_real(role, dtype)[:1],
        Rule(role, within != within.floor(), "must hold whole numbers", whole),
        Rule(role, number < 0, "must not be negative", "Correct or drop those rows."),
        Rule(role, number > INT_MAX, most, "Count in thousands, or use a normal family."),
    ]


def _trials(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    cure = "A row without trials says nothing about its group: drop the row."
    return [*_count(role, dtype), Rule(role, _number(role) == 0, "must be at least 1", cure)]


def _predictor(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    return [] if dtype == nw.Boolean else _real(role, dtype)


def _binary(role: str, dtype: nw.dtypes.DType) -> list[Rule]:
    if dtype == nw.Boolean:
        return []
    cure = "Recode those rows; successes in several trials go to GroupedData.from_counts."
    broken = (_number(role) != 0) & (_number(role) != 1)
    return [Rule(role, broken, "must be 0 or 1 (or true/false)", cure)]


def _at_most(part: str, whole: str) -> Rule:
    return Rule(
        part,
        _number(part) > _number(whole),
        f"must not exceed the {whole.replace('_', ' of the ')}",
        f"Correct those rows. Were {part}= and {whole}= swapped?",
        (part, whole),
    )


PARTS = (  # counts, and what each is a part of
    ("successes", "trials"),
    ("events_treatment", "total_treatment"),
    ("events_control", "total_control"),
)
KINDS: dict[str, Callable[[str, nw.dtypes.DType], list[Rule]]] = {
    "binary": _binary,
    "category": lambda role, dtype: [],
    "count": _count,
    "not negative": _not_negative,
    "positive": _positive,
    "predictor": _predictor,
    "ratio": _ratio,
    "real": _real,
    "trials": _trials,
}

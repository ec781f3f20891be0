"""What a table's file says: the data, and the three fits of them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hierstan.shell import values, written
from hierstan.shell.arguments import CONSTRUCTORS
from hierstan.shell.options import flag

if TYPE_CHECKING:
    import pandas as pd

    from hierstan.data.grouped_data import GroupedData
    from hierstan.data.two_part import TwoPartData
    from hierstan.fit.fit import Fit
    from hierstan.fit.two_part import TwoPartFit


@dataclass(frozen=True)
class Taken:
    """The data of a table, and how to fit the three poolings to them.

    Attributes
    ----------
    data : GroupedData or TwoPartData
    fit : callable
        Takes what a model's ``fit`` takes, and ``priors``; returns the fits by name.
    """

    data: GroupedData | TwoPartData
    fit: Callable[..., Mapping[str, Fit | TwoPartFit]]


def take(options: Namespace) -> Taken:
    """Read the file that the command line names, and check what is in it."""
    frame = _read(options)
    return _in_two_parts(frame, options) if options.two_part else _grouped(frame, options)


def of_data(data: GroupedData) -> Taken:
    """Return data as a table's are taken."""
    from hierstan.models.poolings import fit_poolings

    return Taken(data, lambda **given: fit_poolings(data, **given))


# internals ------------------------------------------------------------------------------------


def _read(options: Namespace) -> pd.DataFrame:
    from hierstan.shell.table_file import Dialect, read_columns

    columns: dict[str, Any] = options.columns
    several = {"group": options.group, "factor": options.factors}
    several |= {"predictors": options.predictors, "adjust": options.adjust}
    wanted = {flag(role): name for role, name in columns.items() if role != "group"}
    for role, names in several.items():
        wanted |= {f"{flag(role)} {number}": name for number, name in enumerate(names, 1)}
    dialect = Dialect(options.sep, options.decimal, options.encoding)
    labels = [*options.group, *options.factors, *filter(None, [options.arm])]
    return read_columns(options.file, wanted, labels=labels, dialect=dialect)


def _grouped(frame: pd.DataFrame, options: Namespace) -> Taken:
    from hierstan.data.grouped_data import GroupedData
    from hierstan.families import default

    columns = dict(options.columns)
    more = {"predictors": options.predictors, "factors": options.factors}
    if options.adjust:
        more["adjust"] = options.adjust
    if options.family is not None:
        more["family"] = options.family
    if options.order is not None:
        more["order"] = values.like(options.order, frame[options.columns["rating"]])
    constructor = CONSTRUCTORS[options.kind]
    if options.arm is not None:
        constructor = "trial"
        more["control"] = written.arm(frame[options.arm], options.control)
        if "rating" in columns:
            columns["outcome"], more["family"] = columns.pop("rating"), default("ratings")
    make = getattr(GroupedData, f"from_{constructor}")
    return of_data(make(frame, **columns, **more))


def _in_two_parts(frame: pd.DataFrame, options: Namespace) -> Taken:
    from hierstan.data import two_part
    from hierstan.models.poolings import CompletePooling, NoPooling, PartialPooling
    from hierstan.models.two_part import TwoPart

    amounts = {} if options.family is None else {"amounts": options.family}
    models = [
        TwoPart(**amounts, pooling=pooling)
        for pooling in (CompletePooling, NoPooling, PartialPooling)
    ]

    def fit(priors: Mapping[str, Any], **given: Any) -> dict[str, TwoPartFit]:
        return {model.name: model.fit(frame, **options.columns, **given) for model in models}

    return Taken(two_part.take(frame, **options.columns, amounts=models[0].candidates()), fit)

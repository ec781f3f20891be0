"""What is written to files: the table of the groups, the picture, the page."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierstan.errors import HierstanError

if TYPE_CHECKING:
    import pandas as pd

    from hierstan.data.grouped_data import GroupedData
    from hierstan.data.two_part import TwoPartData
    from hierstan.fit.fit import Fit
    from hierstan.fit.two_part import TwoPartFit


def groups_table(fits: Mapping[str, Fit | TwoPartFit], prob: float) -> pd.DataFrame:
    """Tabulate each group's raw estimate, its mean under each pooling, and the partially pooled.

    Returns
    -------
    pandas.DataFrame
        By group label: ``raw``, ``raw_se``; a posterior mean under the name of each pooling; of
        partial pooling also ``sd``, ``lower``, ``upper`` and ``pooling_factor`` (one of each part,
        where there are two).
    """
    from hierstan.answers.differences.shrinkage import group_means, shrinkage

    moved = shrinkage(fits["partial"], prob=prob)
    table = moved[["raw", "raw_se"]].copy()
    for name, fit in fits.items():
        table[name] = group_means(fit, prob=prob)["mean"]
    factors = [name for name in map(str, moved) if name.startswith("pooling_factor")]
    more = ["sd", "lower", "upper", *factors]
    table[more] = moved[more]
    return table


def label(data: GroupedData | TwoPartData, text: str) -> Hashable:
    """Return the label of the group that is written so."""
    from hierstan.errors import DataError
    from hierstan.text.tables import plain_labels
    from hierstan.text.wording import did_you_mean, listed

    texts = plain_labels(data.groups)
    if text not in texts:
        near = did_you_mean(text, texts) or f" Groups: {listed(texts, 8)}."
        raise DataError(f"--control {text} is no group.{near}")
    return data.groups[texts.index(text)]


def both_arms(fit: Fit, prob: float) -> pd.DataFrame:
    """Tabulate both arms of each group on the outcome's own scale, and their difference."""
    from hierstan.answers.differences.absolute import absolute_effects

    found = absolute_effects(fit, prob=prob).table
    names = {"mean": "difference", "lower": "difference_lower", "upper": "difference_upper"}
    return found[["control", "treated", *names]].rename(columns=names)


def arm(column: pd.Series, text: str) -> Hashable:
    """Return the arm that is written so, or the text where none is."""
    return next((label for label in column.unique() if str(label) == text), text)


def write_table(table: pd.DataFrame, path: str) -> None:
    """Write a table, its labels first, in the format that the path's ending names."""
    names = [f"group {name}" if name in table else str(name) for name in table.index.names]
    flat = table.reset_index(names=names)
    ending = Path(path).suffix.lower()
    if ending == ".csv":
        flat.to_csv(path, index=False)
    elif ending == ".json":
        flat.to_json(path, orient="records", indent=1, force_ascii=False)
    else:
        try:
            flat.to_parquet(path, index=False)
        except ImportError:
            raise HierstanError(
                "To write parquet, pyarrow is needed: pip install pyarrow. Or write a .csv."
            ) from None


def write_picture(
    fit: Fit | TwoPartFit, path: str, *, by: str | None = None, title: str | None = None
) -> None:
    """Draw the shrinkage, perhaps by the levels of a factor."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # a file needs no screen
    from hierstan.plots import plot_shrinkage

    plot_shrinkage(fit, by=by, title=title).savefig(path)


def write_page(
    fits: Mapping[str, Fit | TwoPartFit], path: str, title: str | None, options: Mapping[str, Any]
) -> None:
    """Write the report."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from hierstan.report import report

    report(fits, path, title=title, **options)

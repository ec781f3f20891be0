"""Comparison: how well the models predict, and whether the difference is worth anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.comparison.verdict import CLEAR
from hierstan.errors import HierstanError
from hierstan.plots import style
from hierstan.plots.axes import write_columns
from hierstan.plots.picture import Look, is_narrow, named, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"complete": "complete pooling", "none": "no pooling", "partial": "partial pooling"}
CLAUSE = re.compile(r"[:.;](?:\s|$)| \(")  # where a clause of a verdict ends
COLUMNS = ("elpd", "se", "elpd_diff", "dse", "weight")


@picture
def plot_compare(
    comparison: object,
    **look: Unpack[Look],
) -> Figure:
    """Draw each model's predictive accuracy, and its difference from the best one.

    Parameters
    ----------
    comparison : Comparison
        What `compare` returns: its ``table`` has the models, best first, and the columns ``elpd``,
        ``se``, ``elpd_diff``, ``dse`` and ``weight``.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Left the expected log predictive density, right the difference from the best model; thick
        lines are give or take one standard error, thin ones two. Differences within 4 of the best
        are too small to tell models apart (Sivula, Magnusson and Vehtari 2020, arXiv:2008.10296).

    Raises
    ------
    HierstanError
        If it has no such table.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> comparison = hs.compare(hs.fit_poolings(data, seed=1, engine="stanli"))
    >>> figure = hs.plot_compare(comparison)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['complete pooling', 'partial pooling', 'no pooling']
    """
    table = _checked(comparison)
    own = [NAMES.get(name, style.literal(name)) for name in table.index]
    names = named(list(table.index), own)
    colors = [style.POOLING_COLORS.get(name, style.INK) for name in table.index]
    with style.quiet():
        fig, axes = style.new_figure(8.0, 0.42 * len(table) + 1.9, 2)
        for ax, value, error in zip(axes, ("elpd", "elpd_diff"), ("se", "dse"), strict=True):
            _draw(ax, table[value].to_numpy(float), table[error].to_numpy(float), colors)
        for ax in axes[: 2 if is_narrow() else 1]:
            ax.set_yticks(range(len(table)), labels=names, fontsize=style.TEXT_SIZE)
        axes[0].set_xlabel("elpd (higher predicts better)")
        axes[1].set_xlabel("difference in elpd from the best")
        axes[1].axvspan(-CLEAR, 0, color=style.BAND, lw=0, zorder=0)
        axes[1].axvline(0, color=style.QUIET, lw=0.8, zorder=0.5)
        weights = [style.number(weight, 2) for weight in table["weight"]]
        write_columns(axes[1], range(len(table)), {"weight": weights})
        return style.finish(fig, _title(comparison, table), _caption(comparison))


# internals ------------------------------------------------------------------------------------


def _checked(comparison: object) -> pd.DataFrame:
    table = getattr(comparison, "table", None)
    if not isinstance(table, pd.DataFrame) or not set(COLUMNS) <= set(table.columns):
        raise HierstanError(
            f"plot_compare takes what hs.compare(fits) returns, got {type(comparison).__name__}: "
            f"its .table must have the columns {', '.join(COLUMNS)}."
        )
    return table


def _draw(ax: Axes, values: np.ndarray, errors: np.ndarray, colors: list[str]) -> None:
    """Draw a value with one and two standard errors by row, best on top."""
    ys = np.arange(len(values))
    ax.hlines(ys, values - 2 * errors, values + 2 * errors, color=colors, lw=1.1, zorder=2)
    ax.hlines(ys, values - errors, values + errors, color=colors, lw=3.2, zorder=2)
    ax.scatter(values, ys, color=colors, s=46, edgecolor="white", lw=0.6, zorder=3)
    ax.set_ylim(len(values) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    style.grid_lines(ax)


def _title(comparison: object, table: pd.DataFrame) -> str:
    """Take the first clause of the verdict, so that picture and words say the same."""
    verdict = str(getattr(comparison, "verdict", ""))
    ends = [*(match.start() for match in CLAUSE.finditer(verdict)), len(verdict)]
    clauses = (verdict[:end].strip() for end in ends)
    # "Partial pooling: the groups differ" is said with the second half
    said = next((text for text in clauses if text and text.lower() not in NAMES.values()), "")
    return said or f"{NAMES.get(table.index[0], style.literal(table.index[0]))} ranks first"


def _caption(comparison: object) -> str:
    unit = getattr(comparison, "unit", None)
    left_out = f"Leave one {unit} out. " if unit else ""
    return (
        f"{left_out}Thick lines are give or take one standard error, thin lines two; inside the "
        f"band, differences below {CLEAR:g} are too small to tell models apart."
    )

"""Influence: what the population would be without each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.comparison.elpd import GOOD_K
from hierstan.answers.comparison.influence import influence
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import group_word, interval, labels, mean_words
from hierstan.plots.picture import Look, is_narrow, picture
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 60  # groups with names
WORDS = {"mu": "population mean", "tau": "standard deviation between groups"}


@picture
def plot_influence(
    fit: Fit, *, prob: float | None = None, sort: bool = False, **look: Unpack[Look]
) -> Figure:
    """Draw the population mean, and how much groups differ, without each group in turn.

    Parameters
    ----------
    fit : Fit
        Of partial or complete pooling.
    prob : float, optional
        Probability of the equal-tailed intervals.
    sort : bool
        Order the groups by how far the population mean shifts without them.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        On the link scale, with the numbers of `influence`. The line and the band are those of the
        fit with all groups. Hollow dots are those whose importance weights do not hold (Pareto k
        above 0.7): fit again without these.

    Raises
    ------
    HierstanError
        As of `influence`.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_influence(fit)
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['population mean', 'standard deviation between groups']
    """
    prob = check_prob(prob)
    table = influence(fit, prob=prob).reset_index(drop=True)
    table["label"] = labels(fit.data.groups)
    if sort or len(table) > NAMED:
        table = table.sort_values("mu_shift", kind="stable", ignore_index=True)
    names = [name for name in WORDS if name in table]
    with style.quiet():
        height = layout.rows_height(len(table), NAMED)
        fig, axes = style.new_figure(2.0 + 3.3 * len(names), height + 1.7, len(names))
        axes = np.atleast_1d(axes)
        for ax, name in zip(axes, names, strict=True):
            texts = list(table["label"]) if ax is axes[0] or is_narrow() else [""] * len(table)
            layout.name_rows(ax, texts, height, NAMED)
            _draw(ax, fit, table, name, prob)
        if len(table) <= NAMED:
            ks = [style.number(k, 2) for k in table["pareto_k"]]
            layout.write_columns(axes[-1], range(len(table)), {"Pareto k": ks})
        return style.finish(fig, _title(fit, table), _caption(fit, table, prob))


# internals ------------------------------------------------------------------------------------


def _draw(ax: Axes, fit: Fit, table: pd.DataFrame, name: str, prob: float) -> None:
    """Draw one parameter without each group, over what it is with all."""
    color, rows = style.POOLING_COLORS[fit.model.name], np.arange(len(table))
    ends = interval(fit.draws(name), prob)
    ax.axvspan(*ends, color=style.BAND, lw=0, zorder=0)
    ax.axvline(fit.draws(name).mean(), color=style.INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    ax.hlines(rows, table[f"{name}_lower"], table[f"{name}_upper"], color=color, lw=1.1, zorder=2)
    for high in (False, True):
        which = (table["pareto_k"] > GOOD_K).to_numpy() == high
        fill = "white" if high else color
        ax.plot(table[name][which], rows[which], "o", color=color, mfc=fill, ms=5.5, zorder=3)
    style.grid_lines(ax)
    ax.set_xlabel(WORDS[name])


def _title(fit: Fit, table: pd.DataFrame) -> str:
    what = f"{mean_words(fit, 'link')} without one {group_word(fit.data)}"
    shift = table["mu_shift"].to_numpy()
    most = int(np.abs(shift).argmax())
    size, way = style.number(abs(shift[most]), 2), "lower" if shift[most] < 0 else "higher"
    return (
        f"{what}: the population mean shifts most without {table['label'].iloc[most]}, {size} "
        f"posterior standard deviations {way}"
    )


def _caption(fit: Fit, table: pd.DataFrame, prob: float) -> str:
    failed = int((table["pareto_k"] > GOOD_K).sum())
    weights = f"hollow dots ({failed:,}) rest on weights that do not hold: fit without these"
    held, group = percent(prob), group_word(fit.data)
    parts = [
        f"Dots are posterior means and lines {held} intervals without the {group}",
        "line and band are those with all",
        *([weights] if failed else []),
        *layout.told(False, len(table), NAMED),
    ]
    return "; ".join(parts) + "."

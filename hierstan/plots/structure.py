"""What describes groups: how much each factor matters, and what each of its levels adds."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.differences.components import components, effects
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import labels, mean_words, require
from hierstan.plots.picture import Look, is_narrow, named, picture
from hierstan.text.numbers import share
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 60  # levels whose names and figures are written out


@picture
def plot_components(fit: Fit, *, prob: float | None = None, **look: Unpack[Look]) -> Figure:
    """Draw the variance between groups by what describes them.

    Parameters
    ----------
    fit : Fit
        Of partial pooling, of data with factors.
    prob : float, optional
        Probability of the thin, equal-tailed intervals; the thick ones have 50%.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Left, the posterior of each factor's sd and of tau, on the link scale, with the interval of
        its prior in grey; right, their shares of the variance of a group not yet seen.

    Raises
    ------
    HierstanError
        For a fit without factors.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"age": ["young", "young", "mid", "mid", "old", "old"],
    ...                       "device": ["app", "web"] * 3, "bought": [30, 35, 60, 64, 88, 92]})
    >>> data = hs.GroupedData.from_counts(cells.assign(seen=200), group=["age", "device"],
    ...                                   successes="bought", trials="seen")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    >>> figure = hs.plot_components(fit)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['age', 'device', 'age × device']
    """
    prob = check_prob(prob)
    check_fit(fit, "plot_components")
    require(fit, "tau", "plot_components")
    table, inner = components(fit, prob=prob).table, components(fit, prob=0.5).table
    names = named(list(table.index), [style.literal(name) for name in table.index])
    taus = [*fit.data.tau_names, "tau"]
    tail = (1 - prob) / 2
    priors = np.array([fit.priors[name].quantile(np.array([tail, 1 - tail])) for name in taus])
    widest = 1.15 * float(table["sd_upper"].max())
    with style.quiet():
        fig, (left, right) = style.new_figure(8.6, 0.42 * len(table) + 1.8, 2, wspace=0.28)
        for ax, kind in ((left, "sd"), (right, "share")):
            _draw_components(ax, table, inner, kind)
        rows = np.arange(len(table)) + 0.26
        ends = np.minimum(priors, widest)
        left.hlines(rows, ends[:, 0], ends[:, 1], color=style.PRIOR, lw=1.1)
        left.set_xlim(0, widest)
        left.set_xlabel(f"sd between levels of {mean_words(fit, 'link')}")
        right.set_xlim(0, 1)
        right.set_xlabel("share of the variance between groups")
        for ax in (left, right)[: 2 if is_narrow() else 1]:
            ax.set_yticks(range(len(table)), labels=names)
        shares = [share(float(part)) for part in table["share"]]
        layout.write_columns(right, range(len(table)), {"share": shares})
        caption = (
            f"Dots are posterior means, thick lines 50% and thin lines {percent(prob)} "
            "intervals; grey lines are intervals of the prior."
        )
        return style.finish(fig, _title(table), caption)


@picture
def plot_effects(
    fit: Fit,
    factor: Hashable,
    *,
    prob: float | None = None,
    scale: str = "link",
    sort: bool = False,
    **look: Unpack[Look],
) -> Figure:
    """Draw what each level of a factor adds to the groups that have it.

    Parameters
    ----------
    fit : Fit
        Of partial or complete pooling, of data with the factor.
    factor : str
    prob : float, optional
        Probability of the thin, equal-tailed intervals; the thick ones have 50%.
    scale : {"link", "response"}
        As in `effects`: what a level adds, or the mean of a group that is average in all else.
    sort : bool
        Order the levels by their mean, largest on top, instead of as in the data. More than 60 are
        always sorted, and only the first and last six of them named.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    HierstanError
        For a factor that the fit does not have.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"age": ["young", "young", "mid", "mid", "old", "old"],
    ...                       "device": ["app", "web"] * 3, "bought": [30, 35, 60, 64, 88, 92]})
    >>> data = hs.GroupedData.from_counts(cells.assign(seen=200), group=["age", "device"],
    ...                                   successes="bought", trials="seen")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    >>> figure = hs.plot_effects(fit, "age", sort=True)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['old', 'mid', 'young']
    """
    prob = check_prob(prob)
    check_fit(fit, "plot_effects")
    require(fit, "mu", "plot_effects")
    table = effects(fit, factor, prob=prob, scale=scale)
    inner = effects(fit, factor, prob=0.5, scale=scale)
    table = table.assign(
        label=labels(table.index), inner_lower=inner["lower"], inner_upper=inner["upper"]
    )
    if sort or len(table) > NAMED:
        table = table.sort_values("mean", ascending=False, kind="stable")
    middle = 0.0 if scale == "link" else float(fit.to_response(fit.draws("mu")).mean())
    with style.quiet():
        height = layout.rows_height(len(table), NAMED)
        fig, ax = style.new_figure(7.6, height + 1.6)
        layout.name_rows(ax, list(table["label"]), height, NAMED)
        ax.axvline(middle, color=style.QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)
        _draw_levels(ax, table, style.POOLING_COLORS[fit.model.name])
        ax.set_xlabel(_axis_words(fit, scale))
        style.grid_lines(ax)
        if len(table) <= NAMED:
            means, intervals = layout.figures(table)
            pooled = [style.number(value, 2) for value in table["pooling_factor"]]
            columns = {"mean": means, f"{percent(prob)} interval": intervals}
            layout.write_columns(ax, range(len(table)), {**columns, "pooling factor": pooled})
        name = style.literal(factor)
        ends = style.span(table["mean"].min(), table["mean"].max())
        what = "adds" if scale == "link" else "has, all else average"
        held = percent(prob)
        parts = [
            f"Dots are posterior means, thick lines 50% and thin lines {held} intervals",
            "the dashed line is an average level",
            *layout.told(False, len(table), NAMED),
        ]
        title = f"What each level of {name} {what}: {ends}"
        return style.finish(fig, title, "; ".join(parts) + ".")


# internals ------------------------------------------------------------------------------------


def _title(table: pd.DataFrame) -> str:
    most = share(float(table["share"].max()))
    largest = table["share"].idxmax()
    if largest == table.index[-1]:
        return f"{most} of the variance between groups is left to the groups themselves"
    return f"Of the variance between groups, {most} goes with {style.literal(largest)}"


def _draw_components(ax: Axes, table: pd.DataFrame, inner: pd.DataFrame, kind: str) -> None:
    color, rows = style.POOLING_COLORS["partial"], np.arange(len(table))
    for source, width in ((table, 1.1), (inner, 3.2)):
        ax.hlines(rows, source[f"{kind}_lower"], source[f"{kind}_upper"], color=color, lw=width)
    ax.plot(table[kind], rows, "o", color=color, ms=5.5, mec="white", mew=0.5)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_yticks([])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    style.grid_lines(ax)


def _draw_levels(ax: Axes, table: pd.DataFrame, color: str) -> None:
    rows, crowded = np.arange(len(table)), len(table) > layout.CROWDED
    thin, thick, size = (0.7, 0.9, 1.6) if crowded else (1.1, 3.2, 5.5)
    ax.hlines(rows, table["lower"], table["upper"], color=color, lw=thin, zorder=2)
    ax.hlines(rows, table["inner_lower"], table["inner_upper"], color=color, lw=thick, zorder=2.1)
    ax.plot(table["mean"], rows, "o", color=color, ms=size, mec="white", mew=0.5, zorder=3)


def _axis_words(fit: Fit, scale: str) -> str:
    if scale == "response":
        return mean_words(fit, "response")
    return f"difference from the average level, in {mean_words(fit, 'link')}"

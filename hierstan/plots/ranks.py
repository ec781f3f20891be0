"""Ranks: how sure one can be of a league table of the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import Values, values_of
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import group_word, labels, mean_words
from hierstan.plots.picture import Look, picture
from hierstan.text.numbers import figure, share
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 60  # groups with names and a shade for each rank; of more, intervals alone
STEPS = tuple(step * 10**power for power in range(9) for step in (1, 2, 5))  # between ticks


@picture
def plot_ranks(
    fit: Fit | TwoPartFit,
    *,
    larger_is_better: bool = True,
    prob: float | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw which rank each group may have, groups with the best ranks on top.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of any pooling.
    larger_is_better : bool
        Whether the group with the largest mean has rank 1.
    prob : float, optional
        Probability of the equal-tailed intervals; at least that, as ranks come in steps.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Groups by their expected rank, each with the median and the interval of its rank, over
        shades of the probability of every rank; `rank_intervals`, `rank_probabilities` and
        `prob_best` have the numbers. More than 60 groups have intervals alone, and only the first
        and last six of them names.

    Raises
    ------
    HierstanError
        For an impossible `prob`.

    Notes
    -----
    Ranks are much less certain than means: that intervals overlap most of the others is what to
    expect of a league table (Goldstein and Spiegelhalter 1996, doi:10.2307/2983325).

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_ranks(fit)
    >>> figure.axes[0].get_xlabel()
    'rank (1 is best)'
    """
    values = values_of(fit, "link", larger_is_better)
    prob = check_prob(prob)
    ranks = losses.ranks(values)
    table = _table(values, ranks, prob)
    if not fit.model.shares_mean:  # there all ranks are a matter of chance
        table = table.sort_values("mean", kind="stable")
    J = len(table)
    shares = _shares(fit, ranks[:, table.index]) if J <= NAMED else None
    with style.quiet():
        height = layout.rows_height(J, NAMED)
        fig, ax = style.new_figure(7.6, height + 1.9)
        layout.name_rows(ax, list(table["label"]), height, NAMED)
        _frame(ax, J)
        _draw(ax, fit, table, shares)
        if shares is not None:
            _write_figures(ax, table, prob)
        style.legend(ax, _keys(fit, shares, prob))
        return style.finish(fig, _title(fit, table, prob), _caption(fit, J))


# internals ------------------------------------------------------------------------------------


def _table(values: Values, ranks: np.ndarray, prob: float) -> pd.DataFrame:
    """Return mean, median, 50% and `prob` intervals of the ranks, and the chances to be best."""
    S, J = ranks.shape
    tail = (1 - prob) / 2
    levels = {"median": 0.5, "lower": tail, "upper": 1 - tail, "inner_lower": 0.25}
    levels["inner_upper"] = 0.75
    ends, mean = np.empty((len(levels), J)), np.empty(J)
    width = max(1, group_summaries.BLOCK // S)
    for start in range(0, J, width):
        part = slice(start, start + width)
        ends[:, part] = np.quantile(
            ranks[:, part], list(levels.values()), axis=0, method="inverted_cdf"
        )
        mean[part] = ranks[:, part].mean(axis=0)
    table = pd.DataFrame(dict(zip(levels, ends.astype(int), strict=True)))
    table["mean"], table["best"] = mean, losses.best_shares(values)
    table["label"] = labels(values.groups)
    return table


def _shares(fit: Fit | TwoPartFit, ranks: np.ndarray) -> np.ndarray:
    """Return how often each group (row) has each rank (column), (J, J)."""
    S, J = ranks.shape
    if fit.model.shares_mean:
        return np.full((J, J), 1 / J)
    return np.stack([np.bincount(ranks[:, j], minlength=J + 1)[1:] / S for j in range(J)])


def _frame(ax: Axes, J: int) -> None:
    """Set the axis of ranks up, 1 at the left."""
    margin = 0.5 if J <= NAMED else 0.01 * J
    ax.set_xlim(1 - margin, J + margin)
    step = next(step for step in STEPS if J / step <= 12)
    ax.set_xticks(range(1, J + 1, step) if step <= 2 else [1, *range(step, J + 1, step)])
    ax.xaxis.set_major_formatter(lambda tick, _: f"{tick:,.0f}")
    ax.set_xlabel("rank (1 is best)")


def _draw(ax: Axes, fit: Fit | TwoPartFit, table: pd.DataFrame, shares: np.ndarray | None) -> None:
    """Draw shades, intervals and medians."""
    color = style.POOLING_COLORS[fit.model.name]
    ys = np.arange(len(table))
    if shares is None:
        style.grid_lines(ax)
        crowded = len(table) > layout.CROWDED
        faint = [style.tint(color, share) for share in ((0.25, 0.6) if crowded else (0.5, 1))]
        ax.hlines(ys, table["lower"], table["upper"], color=faint[0], lw=0.8, zorder=2)
        ax.hlines(ys, table["inner_lower"], table["inner_upper"], color=faint[1], lw=1, zorder=2.1)
        ax.plot(table["median"], ys, "o", color=color, ms=1.8, mew=0, zorder=3)
        return
    edges = np.arange(len(table) + 1) - 0.5
    # by square roots: one certain rank would leave the others pale
    depth = np.sqrt(shares / shares.max())
    ax.pcolormesh(edges + 1, edges, depth, cmap=_shades(color), vmin=0, vmax=1)
    for place in edges[1:-1]:
        ax.axhline(place, color="white", lw=1.5, zorder=1.5)
    ax.hlines(ys, table["lower"], table["upper"], color=style.INK, lw=1.1, zorder=2)
    ax.plot(table["median"], ys, "o", color=style.INK, ms=5.0, mec="white", mew=0.6, zorder=3)


def _shades(color: str) -> Any:
    """Return shades from none to that of the most probable rank, light enough for lines on top."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("ranks", ["white", style.tint(color, 0.65)])


def _keys(fit: Fit | TwoPartFit, shares: np.ndarray | None, prob: float) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    color = style.POOLING_COLORS[fit.model.name]
    if shares is None:
        return [
            Line2D([], [], ls="", marker="o", ms=3, color=color, label="median"),
            Line2D([], [], color=style.tint(color, 0.6), lw=2, label="50% interval"),
            Line2D([], [], color=style.tint(color, 0.25), lw=2, label=f"{percent(prob)} interval"),
        ]
    most = float(shares.max())
    shades = [
        Patch(color=_shades(color)(np.sqrt(share)), label=f"{figure(100 * share * most, 2)}%")
        for share in ((1.0,) if fit.model.shares_mean else (0.1, 0.4, 1.0))
    ]
    shades[0].set_label(f"probability of a rank: {shades[0].get_label()}")
    dot: dict[str, Any] = {"marker": "o", "ms": 5, "mec": "white", "mew": 0.6}
    return [*shades, Line2D([], [], color=style.INK, lw=1.1, label="median and interval", **dot)]


def _write_figures(ax: Axes, table: pd.DataFrame, prob: float) -> None:
    ends = zip(table["lower"], table["upper"], strict=True)
    columns = {
        "median": [f"{median}" for median in table["median"]],
        f"{percent(prob)} interval": [f"{low} to {high}" for low, high in ends],
        "P(best)": [share(best) for best in table["best"]],
    }
    layout.write_columns(ax, range(len(table)), columns)


def _title(fit: Fit | TwoPartFit, table: pd.DataFrame, prob: float) -> str:
    what = f"Rank of {group_word(fit.data)} by {mean_words(fit, 'response')}"
    if fit.prior_only:
        return f"{what}: the prior, before any data"
    if fit.model.shares_mean:
        return f"{what}: none, completely pooled groups are all the same"
    first = table.iloc[int(table["best"].to_numpy().argmax())]
    typical = int((table["upper"] - table["lower"] + 1).median())
    return (
        f"{what}: {first['label']} is best with probability {share(first['best'])}; "
        f"{percent(prob)} intervals typically span {typical:,} of {len(table):,} ranks"
    )


def _caption(fit: Fit | TwoPartFit, J: int) -> str:
    order = "In the order of the data" if fit.model.shares_mean else "By expected rank"
    parts = [order, *layout.told(False, J, NAMED)]
    return "; ".join(parts) + "."

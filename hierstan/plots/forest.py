"""Forest plot: every group's mean with its interval, and what they have in common."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np
import pandas as pd

from hierstan.errors import HierstanError
from hierstan.fit.centers import has_centers
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import (
    POOLING_WORDS,
    by_level,
    group_table,
    group_word,
    headings,
    link_of,
    mean_words,
    name_axis,
    references,
    seen_words,
    unit,
)
from hierstan.plots.meta_columns import by_line, raw_columns
from hierstan.plots.meta_forest import draw_meta
from hierstan.plots.picture import Look, is_narrow, picture
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 60  # groups whose names and figures are written out
STYLES = ("groups", "meta")


@picture
def plot_forest(
    fit: Fit | TwoPartFit,
    *,
    prob: float | None = None,
    scale: str = "response",
    sort: bool = False,
    style: str = "groups",
    exponentiate: bool | None = None,
    by: Hashable | None = None,
    favours: tuple[str, str] | None = None,
    columns: object = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw the intervals of the group means, with the population mean and a new group below.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of any pooling; for the style ``"meta"``, of partial or complete pooling.
    prob : float, optional
        Probability of the thin, equal-tailed intervals; the thick ones have 50%. In the style
        ``"meta"``, of all intervals.
    scale : {"response", "link"}
    sort : bool
        Order the groups by their mean (``"meta"``: their raw estimate), largest on top, instead of
        as in the data. More than 60 groups are always sorted, and only the first and last six of
        them named.
    style : {"groups", "meta"}
        ``"meta"`` is the forest plot of a meta-analysis: for each study its own estimate and
        confidence interval, as a square whose area is its weight in the overall effect, and the
        pooled estimate beneath; then a diamond for ``mu`` and a bar for a new study.
    exponentiate : bool, optional
        Show estimates that are log ratios as ratios, on a log axis; with ``style="meta"``. By
        default where the data say that they are (``data.measure``), unless ``scale="link"``.
    by : str, optional
        A factor of the fit, such as a region: the groups stand level by level, under its name; in
        the style ``"meta"`` with a diamond for the mean of each level's studies.
    favours : (str, str), optional
        Whom effects left and right of "no effect" favour, written below the axis; with
        ``style="meta"``.
    columns : pandas.DataFrame or mapping of str to sequence, optional
        What to print beside each study, by group label or in their order; with ``style="meta"``. By
        default events out of how many, or mean, sd and n, where the data have them.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Filled dots are posterior means, hollow ones raw estimates; of data with two arms, what was
        seen in either stands beside the group, and one that has a single arm has no circle. Short
        upright lines are centers: where what is known of a group puts it, its predictors and the
        levels of its factors. The last row is the prediction interval of a group not yet seen.

    Raises
    ------
    HierstanError
        If ``"meta"`` meets a fit of no pooling or of the prior only, or `exponentiate` estimates
        that are no log ratios; for a factor that the fit does not have.

    Notes
    -----
    The weight of study j in the style ``"meta"`` is the posterior mean of ``1 / (V_j + tau^2)``
    over its sum, ``V_j`` being the sampling variance on the link scale (`shrinkage` explains it);
    ``tau`` is 0 in complete pooling. Raw intervals are normal on the link scale. With
    `exponentiate`, means are means of logs, so that ratios are geometric means.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_forest(fit, sort=True)
    >>> figure.axes[0].get_xlabel()
    'effect'
    """
    check_fit(fit, "plot_forest", two_part=True)
    if style not in STYLES:
        raise HierstanError(f"style must be one of {', '.join(STYLES)}, got {style!r}.")
    prob = check_prob(prob)
    if isinstance(fit, TwoPartFit) and (style == "meta" or by is not None or exponentiate):
        raise HierstanError(
            'style="meta", by= and exponentiate= are for one part: plot_forest(fit.rate, ...) or '
            "plot_forest(fit.amount, ...)."
        )
    if style == "meta" and isinstance(fit, Fit):
        return draw_meta(
            fit,
            prob=prob,
            scale=scale,
            sort=sort,
            exponentiate=exponentiate,
            named=NAMED,
            by=by,
            favours=favours,
            columns=columns,
        )
    if favours is not None or columns is not None:
        raise HierstanError('favours= and columns= need style="meta".')
    if exponentiate:
        raise HierstanError('exponentiate=True needs style="meta".')
    return _draw_groups(fit, prob, scale, sort, by)


# internals ------------------------------------------------------------------------------------


def _draw_groups(
    fit: Fit | TwoPartFit, prob: float, scale: str, sort: bool, by: Hashable | None
) -> Figure:
    """Draw every group's mean, and what they have in common."""
    table = group_table(fit, prob, scale)
    table["place"] = table.index
    if sort or (len(table) > NAMED and by is None):
        table = table.sort_values("mean", ascending=False, kind="stable")
    below = references(fit, prob, scale)
    if not fit.model.has_population:
        below = below[:0]
    log = layout.wants_log(link_of(fit), scale, np.r_[table["mean"], _raw(table, fit)])
    lines = table if by is None else by_level(cast(Fit, fit), table, by)
    beside = raw_columns(fit) if isinstance(fit, Fit) and fit.family.treatment else {}
    with style.quiet():
        height = layout.rows_height(len(lines), NAMED) + 0.25 * len(below)
        fig, ax = style.new_figure(7.6 + 0.7 * len(beside), height + 1.6)
        names = (list(lines["label"]), height, NAMED, list(below["label"]), headings(lines))
        layout.name_rows(ax, *names)
        _frame(ax, fit, table, below, scale, log)
        cut = _draw(ax, fit, lines, below)
        if len(lines) <= NAMED:
            _write_figures(ax, fit, lines, below, prob, scale, by_line(beside, lines))
        told = layout.told(cut, len(lines), NAMED, by is not None)
        if beside and isinstance(fit, Fit) and len(lines) <= NAMED and not is_narrow():
            told.append(f"at the right stands what was seen in either arm, {seen_words(fit.data)}")
        caption = _caption(fit, prob, told)
        return style.finish(fig, _title(fit, table, scale), caption)


def _raw(table: pd.DataFrame, fit: Fit | TwoPartFit) -> np.ndarray:
    """Return the raw estimates that are drawn: none where only the prior is."""
    return table["raw"].to_numpy()[: 0 if fit.prior_only else None]


def _frame(
    ax: Axes, fit: Fit | TwoPartFit, table: pd.DataFrame, below: pd.DataFrame, scale: str, log: bool
) -> None:
    """Set the value axis up: limits, scale, grid and name."""
    rows = pd.concat([table, below])
    ends = rows["lower"].to_numpy(), rows["upper"].to_numpy()
    low, high = layout.limits(table["mean"].to_numpy(), _raw(table, fit), *ends, log)
    layout.set_limits(ax, low, high, log)
    name_axis(ax, fit, scale, log)
    style.grid_lines(ax)


def _draw(ax: Axes, fit: Fit | TwoPartFit, table: pd.DataFrame, below: pd.DataFrame) -> bool:
    """Draw intervals, means and raw estimates, and say whether an interval was cut."""
    color = style.POOLING_COLORS[fit.model.name]
    ys = np.arange(len(table))
    crowded = len(table) > layout.CROWDED
    # rows that touch: lines become areas, so lighter ones
    thin, thick, size = (0.7, 0.9, 1.6) if crowded else (1.1, 3.2, 5.5)
    shades = [style.tint(color, share) for share in ((0.25, 0.6) if crowded else (1, 1))]
    ax.hlines(ys, table["lower"], table["upper"], color=shades[0], lw=thin, zorder=2)
    ax.hlines(ys, table["inner_lower"], table["inner_upper"], color=shades[1], lw=thick, zorder=2.1)
    edge: dict[str, Any] = {"mec": "white", "mew": 0.0 if crowded else 0.5}
    ax.plot(table["mean"], ys, "o", color=color, ms=size, zorder=3, **edge)
    cut = layout.mark_cut(ax, table["lower"], table["upper"], ys, color)
    if "center" in table:
        ax.vlines(table["center"], ys - 0.45, ys + 0.45, color=style.INK, lw=1.1, zorder=2.6)
    if not fit.prior_only:
        ring: dict[str, Any] = {"mfc": "none", "mew": 0.5 if crowded else 1.1}
        ax.plot(table["raw"], ys, "o", color=style.RAW, ms=size + 0.4, zorder=3.5, **ring)
        cut |= layout.mark_cut(ax, table["raw"], table["raw"], ys, style.RAW)
    return _draw_references(ax, len(table), below) or cut


def _draw_references(ax: Axes, rows: int, below: pd.DataFrame) -> bool:
    """Draw the rows below the groups, and say whether an interval was cut."""
    if below.empty:
        return False
    ys = layout.rows_below(rows, len(below))
    ax.axhline((rows - 1 + ys[0]) / 2, color=style.QUIET, lw=0.6)
    ax.hlines(ys, below["lower"], below["upper"], color=style.INK, lw=1.1)
    ax.hlines(ys, below["inner_lower"], below["inner_upper"], color=style.INK, lw=3.2)
    if "mu" in below.index:
        mu = float(below["mean"].loc["mu"])
        ax.plot(
            mu, ys[list(below.index).index("mu")], "D", color=style.INK, ms=6, mec="white", mew=0.5
        )
        ax.axvline(mu, color=style.QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)
    return layout.mark_cut(ax, below["lower"], below["upper"], ys, style.INK)


def _write_figures(
    ax: Axes,
    fit: Fit | TwoPartFit,
    lines: pd.DataFrame,
    below: pd.DataFrame,
    prob: float,
    scale: str,
    beside: dict[str, list[str]],
) -> None:
    """Write the raw numbers, mean and interval of every row at the right."""
    means, intervals = layout.figures(pd.concat([lines, below]), unit(fit, scale))
    columns = {name: [*texts, *[""] * len(below)] for name, texts in beside.items()} | {
        "median" if fit.prior_only else "mean": means,
        f"{percent(prob)} interval": intervals,
    }
    layout.write_columns(ax, [float(y) for y in ax.get_yticks()], columns)


def _title(fit: Fit | TwoPartFit, table: pd.DataFrame, scale: str) -> str:
    what = f"{mean_words(fit, scale)} by {group_word(fit.data)}"
    if fit.prior_only:
        return f"{what}: the prior, before any data"
    words = POOLING_WORDS[fit.model.name]
    if fit.model.shares_mean:
        mean = float(table["mean"].iloc[0])
        return f"{what}, {words}: {style.span(mean, mean, unit=unit(fit, scale))} for all"
    relative = link_of(fit) == "log" and scale == "response"
    estimates = style.span(
        table["mean"].min(), table["mean"].max(), relative=relative, unit=unit(fit, scale)
    )
    raw = style.span(
        table["raw"].min(), table["raw"].max(), relative=relative, unit=unit(fit, scale)
    )
    return f"{what}, {words}: {estimates} (raw {raw})"


def _caption(fit: Fit | TwoPartFit, prob: float, told: list[str]) -> str:
    means = "prior medians" if fit.prior_only else "posterior means"
    parts = [
        f"Dots are {means}, thick lines 50% and thin lines {percent(prob)} intervals",
        *([] if fit.prior_only else ["hollow circles are raw estimates"]),
        *(
            ["upright lines are where what is known of a group puts it"]
            if isinstance(fit, Fit) and has_centers(fit)
            else []
        ),
        *told,
    ]
    return "; ".join(parts) + "."

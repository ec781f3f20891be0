"""Shrinkage: where each group's raw estimate ends up once the groups are pooled partially."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Unpack, cast

import numpy as np
import pandas as pd

from hierstan.errors import HierstanError
from hierstan.fit.centers import center_means
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import (
    by_level,
    group_table,
    group_word,
    headings,
    interval,
    mean_words,
    name_axis,
    on_scale,
    require,
    unit,
)
from hierstan.plots.moves import NAMED, draw_moves, draw_side_by_side
from hierstan.plots.picture import Look, picture
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@picture
def plot_shrinkage(
    fit: Fit | TwoPartFit | Mapping[str, Fit],
    *,
    scale: str = "response",
    by: Hashable | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw the move of every group from its raw estimate to its partially pooled mean.

    Parameters
    ----------
    fit : Fit, TwoPartFit, or mapping of str to Fit
        Of partial pooling. Several fits of the same data, such as `fit_poolings` returns, stand
        side by side; of a two-part fit the rate, the amount and the revenue per customer.
    scale : {"response", "link"}
    by : str, optional
        A factor of the fit, such as a region: the groups stand level by level, under its name.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Groups in the order of their raw estimates, largest on top; of more than 30, only the first
        and last six are named. An area proportional to a raw estimate's precision marks it. The
        inner band has the posterior medians of ``mu - tau`` and ``mu + tau`` as ends, the outer one
        is the 90% prediction interval of a new group. With factors or predictors each group has a
        center of its own for mu, where what is known of it puts it.

    Raises
    ------
    HierstanError
        If the fit is not one of partial pooling, has the prior only, or has no such factor.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_shrinkage(fit)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()][:2]
    ['A', 'G']
    """
    if isinstance(fit, TwoPartFit) or (isinstance(fit, Mapping) and fit):
        if by is not None:
            raise HierstanError("by= is for one fit. Leave it out to see several side by side.")
        return draw_side_by_side(fit, scale)
    check_fit(fit, "plot_shrinkage")
    return _draw_one(cast(Fit, fit), scale, by)


# internals ------------------------------------------------------------------------------------


def _draw_one(fit: Fit, scale: str, by: Hashable | None) -> Figure:
    """Draw the moves of one fit, over its population."""
    require(fit, "tau", "plot_shrinkage")
    table = group_table(fit, check_prob(None), scale)
    if "center" in table:
        middle, tau = center_means(fit, "link"), np.median(fit.draws("tau"))
        table["center_low"] = on_scale(fit, middle - tau, scale)
        table["center_high"] = on_scale(fit, middle + tau, scale)
    table = table.sort_values("raw", ascending=False, kind="stable")
    raw, mean = table["raw"].to_numpy(), table["mean"].to_numpy()
    log = layout.wants_log(fit.family.link, scale, np.r_[raw, mean])
    lines = table if by is None else by_level(fit, table, by)
    with style.quiet():
        height = layout.rows_height(len(lines), NAMED)
        fig, ax = style.new_figure(7.6, height + 1.9)
        layout.name_rows(ax, list(lines["label"]), height, NAMED, headings=headings(lines))
        bands = _bands(fit, scale)
        layout.set_limits(
            ax, *layout.limits(mean, raw, bands["new"][:1], bands["new"][1:], log), log
        )
        name_axis(ax, fit, scale, log)
        _draw_bands(ax, bands, lines)
        draw_moves(fig, ax, lines, style.POOLING_COLORS["partial"])
        ends = lines["raw"].to_numpy()
        cut = layout.mark_cut(ax, ends, ends, np.arange(len(ends)), style.RAW)
        style.legend(ax, _keys("center" in table))
        told = layout.told(cut, len(lines), NAMED, by is not None)
        return style.finish(fig, _title(fit, table, scale), _caption(table, told))


def _bands(fit: Fit, scale: str) -> dict[str, np.ndarray]:
    """Return mu, the ends of mu give or take tau, and those of a new group's interval."""
    mu, tau = fit.draws("mu"), fit.draws("tau")
    return {
        "mu": on_scale(fit, mu, scale).mean(),
        "core": np.median(on_scale(fit, np.stack([mu - tau, mu + tau]), scale), axis=1),
        "new": on_scale(fit, interval(fit.draws("theta_new"), check_prob(None)), scale),
    }


def _draw_bands(ax: Axes, bands: dict[str, np.ndarray], table: pd.DataFrame) -> None:
    ax.axvspan(*bands["new"], color=style.BAND, lw=0, zorder=0)
    if "center" in table:
        rows = np.arange(len(table))
        low, high = table["center_low"], table["center_high"]
        ax.barh(rows, high - low, left=low, height=1, color=style.CORE, lw=0, zorder=0.1)
        ax.vlines(table["center"], rows - 0.5, rows + 0.5, color=style.INK, lw=0.9, zorder=0.5)
        return
    ax.axvspan(*bands["core"], color=style.CORE, lw=0, zorder=0.1)
    ax.axvline(float(bands["mu"]), color=style.INK, lw=0.9, ls=(0, (4, 3)), zorder=0.5)


def _keys(centers: bool) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def dot(color: str, face: str, label: str) -> Line2D:
        return Line2D([], [], ls="", marker="o", ms=6, mec=color, mfc=face, label=label)

    partial, middle = style.POOLING_COLORS["partial"], "center" if centers else "population mean"
    return [
        dot(style.RAW, "white", "raw estimate"),
        dot(partial, partial, "partially pooled"),
        Line2D([], [], color=style.INK, lw=0.9, ls="-" if centers else (0, (4, 3)), label=middle),
        Patch(color=style.CORE, label="two thirds of groups"),
        Patch(color=style.BAND, label=f"{percent(check_prob(None))} of new groups"),
    ]


def _title(fit: Fit, table: pd.DataFrame, scale: str) -> str:
    relative = fit.family.link == "log" and scale == "response"
    raw = style.span(
        table["raw"].min(), table["raw"].max(), relative=relative, unit=unit(fit, scale)
    )
    pooled = style.span(
        table["mean"].min(), table["mean"].max(), relative=relative, unit=unit(fit, scale)
    )
    narrower = np.ptp(table["mean"]) < np.ptp(table["raw"])
    verb = " narrows" if narrower else " of"
    return (
        f"Partial pooling{verb} {mean_words(fit, scale)} by {group_word(fit.data)}: "
        f"raw {raw}, pooled {pooled}"
    )


def _caption(table: pd.DataFrame, told: list[str]) -> str:
    parts = ["Ordered by raw estimate"]
    if table["precision"].min() < 0.5:
        parts.append("the larger a dot, the more precise the raw estimate, and the less it moves")
    return "; ".join([*parts, *told]) + "."

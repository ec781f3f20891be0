"""Posterior predictive checks: whether the model would have produced data like these."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

import numpy as np

from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.density import bandwidth, density
from hierstan.plots.groups import group_word, interval, labels, outcome_family, rate_words
from hierstan.plots.marks import name_points
from hierstan.plots.picture import Look, picture
from hierstan.plots.replicated import Replicated, replicated, statistic_of
from hierstan.text.numbers import share
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 30  # groups; of more, only those outside their interval are named
CURVES = 60  # replicated data sets drawn as densities
MOST_BARS = 30


@picture
def plot_ppc(
    fit: Fit,
    statistic: str | Callable[[np.ndarray], float] | None = None,
    *,
    prob: float | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Compare the outcomes with outcomes that the fitted model produces.

    Parameters
    ----------
    fit : Fit
        With ``prior_only=True``, the prior predictive distribution is drawn instead.
    statistic : {"mean", "median", "sd", "min", "max", "zeros"} or callable, optional
        A number that sums up a data set, of shape (N,); its distribution over replicated data sets
        is drawn. Without one: the distribution of the outcomes, and each group's mean.
    prob : float, optional
        Probability of the equal-tailed intervals.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        At most 1,000 replicated data sets, evenly spread over the draws, are used. A group's own
        data have shaped its mean, so more groups lie inside their interval than `prob` promises for
        new data; one that lies outside is the more telling.

    Raises
    ------
    HierstanError
        If the fit has no replicated outcomes, or for an unknown statistic.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_ppc(fit)
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['effect', 'effect by school']
    """
    check_fit(fit, "plot_ppc")
    data, prob = replicated(fit), check_prob(prob)
    with style.quiet():
        if statistic is not None:
            return _draw_statistic(fit, data, *statistic_of(statistic), prob)
        rows = len(data.means)
        height = max(3.0, layout.rows_height(rows, NAMED)) if rows <= NAMED else 4.6
        fig, (left, right) = style.new_figure(8.6, height + 1.5, 2, width_ratios=[1, 1.15])
        (_draw_bars if data.discrete else _draw_densities)(left, fit, data, prob)
        outside = _draw_groups(right, fit, data, prob, height)
        style.finish(fig, _title(fit, outside, prob), _caption(data, prob, rows))
        if rows > NAMED:
            _name_outside(right, fit, data, outside)
        return style.settle(fig)


# internals ------------------------------------------------------------------------------------


def _draw_densities(ax: Axes, fit: Fit, data: Replicated, prob: float) -> None:
    """Draw the density of the outcomes over those of replicated data sets."""
    forward = np.log if data.positive else np.asarray
    y, y_rep = forward(data.y), forward(data.y_rep)
    color = style.POOLING_COLORS[fit.model.name]
    back = np.exp if data.positive else np.asarray
    drawn = y_rep[:: max(1, len(y_rep) // CURVES)]
    width = float(np.median([bandwidth(one) for one in drawn]))  # of all, so that they compare
    for one in drawn:
        x, heights = density(one, width=width)
        ax.plot(back(x), heights, color=color, lw=0.5, alpha=0.25, zorder=1)
    x, heights = density(y, width=width)
    ax.plot(back(x), heights, color=style.INK, lw=1.8, zorder=3)
    low, high = _window(y, *np.quantile(y_rep, [0.005, 0.995]))
    low, high = min(low, x[0]), max(high, x[-1])
    if len(y) <= 200:
        ax.plot(data.y, np.zeros(len(y)), "|", color=style.INK, ms=8, mew=0.8, zorder=4)
    ax.set_ylim(0, None)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    layout.set_limits(ax, float(back(low)), float(back(high)), data.positive, most=6)
    ax.set_xlabel(data.words + (" (log scale)" if data.positive else ""))
    ax.set_title("distribution of outcomes", color=style.QUIET)


def _draw_bars(ax: Axes, fit: Fit, data: Replicated, prob: float) -> None:
    """Draw how often each count occurs, with the interval of how often the model expects it."""
    from matplotlib.ticker import MaxNLocator

    edges = _edges(data)
    middle, width = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    seen = np.histogram(data.y, edges)[0]
    expected = np.array([np.histogram(one, edges)[0] for one in data.y_rep])
    color = style.POOLING_COLORS[fit.model.name]
    ax.bar(middle, seen, 0.92 * width, color=style.CORE, edgecolor=style.QUIET, lw=0.6)
    ax.vlines(middle, *interval(expected, prob), color=color, lw=1.1)
    ax.vlines(middle, *interval(expected, 0.5), color=color, lw=3.2)
    ax.plot(middle, expected.mean(axis=0), "o", color=color, ms=5, mec="white", mew=0.5)
    ax.set_yscale("function", functions=(lambda v: np.sqrt(np.maximum(v, 0)), np.square))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.set_ylim(0, None)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylabel("observations (square-root scale)")
    ax.set_xlabel(data.words)
    if not data.whole:
        style.show_percent(ax)
    names = [] if fit.data.categories is None else fit.data.categories.tolist()
    if any(isinstance(name, str) for name in names):
        ax.set_xticks(fit.data.scores, [style.literal(str(name)) for name in names])
    ax.set_title("distribution of outcomes", color=style.QUIET)


def _window(y: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Return limits that hold the data, and replications as far as those leave the data legible."""
    reach = 3 * (float(np.ptp(y)) or 1.0)
    bottom, top = float(y.min()), float(y.max())
    return min(bottom, max(low, bottom - reach)), max(top, min(high, top + reach))


def _edges(data: Replicated) -> np.ndarray:
    """Return the edges of bars: whole counts where there are few, else equal steps."""
    ends = np.quantile(data.y_rep.min(axis=1), 0.05), np.quantile(data.y_rep.max(axis=1), 0.95)
    bottom, top = _window(data.y, *ends)
    bars = int(np.ceil(2 * len(data.y) ** (1 / 3)))  # Rice's rule
    if not data.whole:
        bars = min(20, bars)
        room = max(top - bottom, 1e-3 * top, 1e-12)
        return np.linspace(bottom, bottom + room * (1 + 1e-9), bars + 1)
    most = min(MOST_BARS, max(12, 2 * bars))
    step = max(1, int(np.ceil((top - bottom + 1) / most)))
    return np.arange(np.floor(bottom), top + step + 1, step) - 0.5


def _draw_groups(ax: Axes, fit: Fit, data: Replicated, prob: float, height: float) -> np.ndarray:
    """Draw each group's mean with its predictive interval, and return which are outside of it."""
    order = np.argsort(-data.means, kind="stable")
    means, rep = data.means[order], data.means_rep[:, order]
    lower, upper = interval(rep, prob)
    inner = interval(rep, 0.5)
    ys = np.arange(len(means))
    out = (means < lower) | (means > upper)
    crowded = len(means) > layout.CROWDED
    color = style.POOLING_COLORS[fit.model.name]
    shade = style.tint(color, 0.35) if crowded else color
    ax.hlines(ys, lower, upper, color=shade, lw=0.8 if crowded else 1.1, zorder=1)
    if not crowded:
        ax.hlines(ys, *inner, color=color, lw=3.2, zorder=1)
    size = 2 if crowded else 5
    ax.plot(means[~out], ys[~out], "o", color=style.INK, ms=size, mec="white", mew=0.3, zorder=3)
    ax.plot(
        means[out], ys[out], "D", color=style.ALERT, ms=size + 1, mec="white", mew=0.3, zorder=4
    )
    family = outcome_family(fit.data)
    log = layout.wants_log(family.link, "response", np.concatenate([means, lower]))
    layout.set_limits(ax, *layout.limits(means, means[:0], lower, upper, log), log, most=6)
    if len(means) <= NAMED:
        names = labels(fit.data.groups)
        layout.name_rows(ax, [names[j] for j in order], height, NAMED)
    else:
        layout.leave_unnamed(ax, len(means))
    layout.mark_cut(ax, lower, upper, ys, shade)
    style.grid_lines(ax)
    ax.set_xlabel(f"{rate_words(fit.data)} by {group_word(fit.data)}" + " (log scale)" * log)
    if family.shares:
        style.show_percent(ax)
    ax.set_title(f"{group_word(fit.data)} means", color=style.QUIET)
    outside = np.zeros(len(means), dtype=bool)
    outside[order] = out
    return outside


def _name_outside(ax: Axes, fit: Fit, data: Replicated, outside: np.ndarray) -> None:
    """Name the groups outside their interval, the farthest first."""
    place = np.empty(len(data.means))
    place[np.argsort(-data.means, kind="stable")] = np.arange(len(data.means))
    apart = np.abs(data.means - data.means_rep.mean(axis=0)) / (data.means_rep.std(axis=0) + 1e-300)
    worst = np.flatnonzero(outside)[np.argsort(-apart[outside])]
    names = labels(fit.data.groups)
    points = np.column_stack([data.means, place])
    name_points(ax, points[worst], [names[j] for j in worst], np.delete(points, worst, 0))


def _draw_statistic(
    fit: Fit, data: Replicated, name: str, function: Callable[[np.ndarray], float], prob: float
) -> Figure:
    """Draw a statistic's distribution over replicated data sets, and its value for the data."""
    observed = float(function(data.y))
    values = np.array([function(one) for one in data.y_rep], dtype=float)
    as_large = float((values >= observed).mean())
    lower, upper = interval(values, prob)
    color = style.POOLING_COLORS[fit.model.name]
    fig, ax = style.new_figure(6.0, 3.6)
    ax.hist(values, 30, color=style.tint(color, 0.45), edgecolor="white", lw=0.4)
    ax.axvline(observed, color=style.INK, lw=1.8)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"{name} of {data.words}")
    value = style.number(observed, style.decimals_of(upper - lower))
    told = f"{value} observed, {style.span(lower, upper)} replicated"
    caption = (
        f"The line is the data's; bars are replicated data sets, {share(as_large)} of them at "
        f"least as large. The range holds {percent(prob)}."
    )
    return style.finish(fig, f"{name} of {data.words}: {told}", caption)


def _title(fit: Fit, outside: np.ndarray, prob: float) -> str:
    kind = "prior" if fit.prior_only else "posterior"
    inside = int((~outside).sum())
    return (
        f"{inside:,} of {len(outside):,} {group_word(fit.data)} means lie within their "
        f"{percent(prob)} {kind} predictive interval"
    )


def _caption(data: Replicated, prob: float, rows: int) -> str:
    left = "Bars" if data.discrete else "The dark line"
    blue = "dots and lines" if data.discrete else "light lines"
    named = "" if rows <= NAMED else f"; of {rows:,} groups, those farthest outside are named"
    return (
        f"{left}: the data; {blue}: replications. Of the means, dots are the data; thick lines 50% "
        f"and thin lines {percent(prob)} intervals of replications; diamonds, outside{named}."
    )

"""The population: what the data have taught about mu and tau, and where new groups may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from hierstan.fit.fit import Fit
from hierstan.fit.group_summaries import group_summaries
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.density import density
from hierstan.plots.groups import (
    group_word,
    interval,
    mean_words,
    on_scale,
    require,
    shares,
    unit,
)
from hierstan.plots.picture import Look, picture
from hierstan.priors import Prior
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST = 2.0  # how many times the posterior's range an axis may have, to show the prior


@picture
def plot_population(
    fit: Fit,
    **look: Unpack[Look],
) -> Figure:
    """Draw prior and posterior of mu and tau, and the population of group means.

    Parameters
    ----------
    fit : Fit
        Of partial pooling; for complete pooling only ``mu`` is drawn.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        ``mu`` and ``tau`` are on the link scale. The population is on the response scale: the
        density of a new group's mean, uncertainty about ``mu`` and ``tau`` included.

    Raises
    ------
    HierstanError
        If the fit has no population (no pooling), or has the prior only.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_population(fit)
    >>> figure.axes[2].get_xlabel()
    'effect of a new school'
    """
    check_fit(fit, "plot_population")
    require(fit, "mu", "plot_population")
    names = [name for name in ("mu", "tau") if name in fit.arrays]
    whole = "theta_new" in fit.arrays and "tau" in names
    panels = len(names) + whole
    with style.quiet():
        fig, axes = style.new_figure(3.2 * panels + 0.4, 3.4, panels)
        axes = np.atleast_1d(axes)
        for ax, name in zip(axes, names, strict=False):
            _draw_parameter(ax, fit, name)
        if whole:
            _draw_population(axes[-1], fit)
        held = percent(check_prob(None))
        told = f"Dots are posterior means; bars and dark areas, like all ranges, hold {held}."
        return style.finish(fig, _title(fit), told)


# internals ------------------------------------------------------------------------------------


def _draw_parameter(ax: Axes, fit: Fit, name: str) -> None:
    """Draw prior and posterior of one parameter, each named where there is room."""
    prior, draws = fit.priors[name], fit.draws(name)
    color = style.POOLING_COLORS[fit.model.name]
    lower = 0.0 if name == "tau" else -np.inf
    x, posterior = density(draws, lower, cover=0.995)
    left, right = _range(prior, x, lower)
    grid = np.linspace(left, right, 512)
    before = np.exp(prior.log_density(grid))
    ax.fill_between(grid, before, color=style.PRIOR, alpha=0.25, lw=0)
    ax.plot(grid, before, color=style.PRIOR, lw=1.2, label="prior")
    ax.fill_between(x, posterior, color=color, alpha=0.15, lw=0)
    ax.plot(x, posterior, color=color, lw=1.6, label="posterior")
    ends = interval(draws, check_prob(None))
    ax.hlines(0, *ends, color=color, lw=4, zorder=3, clip_on=False)
    ax.plot(draws.mean(), 0, "o", color=color, ms=6, mec="white", mew=0.6, zorder=4, clip_on=False)
    ax.set_xlim(left, right)
    _bare(ax, max(posterior.max(), before.max()))
    words = "population mean" if name == "mu" else "standard deviation between groups"
    ax.set_xlabel(f"{words},\n{mean_words(fit, 'link')}")
    _head(ax, f"posterior {_estimate(draws)}", f"prior {prior}".replace("-", "−"))
    if name == "mu":
        ax.legend(frameon=False, fontsize=style.SMALL_SIZE, handlelength=1.2, loc="upper right")


def _range(prior: Prior, x: np.ndarray, lower: float) -> tuple[float, float]:
    """Return limits that hold the posterior and as much of the prior as is not too wide."""
    inner = prior.quantile([0.01, 0.99])
    room = (WIDEST - 1) * (x[-1] - x[0])
    left = max(min(x[0], inner[0]), x[0] - room, lower)
    right = min(max(x[-1], inner[1]), x[-1] + room)
    return float(left), float(right)


def _draw_population(ax: Axes, fit: Fit) -> None:
    """Draw the density of a new group's mean on the response scale, and the groups there are."""
    color = style.POOLING_COLORS["partial"]
    link, heights = density(fit.draws("theta_new"), cover=0.98)
    x = on_scale(fit, link, "response")
    log = layout.wants_log(fit.family.link, "response", x)
    if log:
        layout.use_log(ax, x[0], x[-1], most=5)
    else:  # on a log axis the density is the one per unit of the logarithm
        heights = heights / np.gradient(x, link)
    ends = on_scale(fit, interval(fit.draws("theta_new"), check_prob(None)), "response")
    inside = ((x >= ends[0]) & (x <= ends[1])).tolist()
    ax.fill_between(x, heights, where=inside, color=color, alpha=0.18, lw=0)
    ax.plot(x, heights, color=color, lw=1.6)
    top = float(heights.max())
    means = group_summaries(fit, check_prob(None), "response")["mean"].to_numpy()
    ax.plot(means, np.full(len(means), -0.06 * top), "|", color=color, ms=8, mew=0.9, clip_on=False)
    _bare(ax, top, floor=-0.12 * top)
    group = group_word(fit.data)
    ax.set_xlabel(f"{mean_words(fit, 'response')} of a new {group}" + " (log scale)" * log)
    if shares(fit, "response"):
        style.show_percent(ax)
    where = style.span(*ends, relative=fit.family.link == "log", unit=unit(fit, "response"))
    _head(
        ax,
        f"{percent(check_prob(None))} of new groups in {where}",
        f"marks: means of the {len(means):,} groups there are",
    )


def _bare(ax: Axes, top: float, floor: float = 0.0) -> None:
    """Leave the height of a density without an axis: only its shape says something."""
    ax.set_ylim(floor, 1.08 * top)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _estimate(draws: np.ndarray) -> str:
    ends = interval(draws, check_prob(None))
    decimals = style.decimals_of(float(np.ptp(ends)) / 2)
    mean, lower, upper = (style.number(float(v), decimals) for v in (draws.mean(), *ends))
    return f"{mean} [{lower}, {upper}]"


def _head(ax: Axes, first: str, second: str) -> None:
    ax.set_title(f"{first}\n{second}", color=style.QUIET, fontsize=style.SMALL_SIZE, loc="left")


def _things(fit: Fit) -> str:
    return "effects" if fit.data.effect else "means"


def _title(fit: Fit) -> str:
    """Say what the data have changed: about tau, or mu where there is no tau."""
    name = "tau" if "tau" in fit.priors else "mu"
    tails = [(1 - check_prob(None)) / 2, (1 + check_prob(None)) / 2]
    before = style.span(*fit.priors[name].quantile(tails), relative=name == "tau")
    after = style.span(*interval(fit.draws(name), check_prob(None)), relative=name == "tau")
    words = {
        "tau": f"How much {group_word(fit.data)} {_things(fit)} differ (standard deviation)",
        "mu": f"The mean of every {group_word(fit.data)}",
    }
    return f"{words[name]}: {before} before the data, {after} after"

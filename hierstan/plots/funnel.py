"""Funnel plot: each group's raw estimate against how precise it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.taken import check_fit
from hierstan.plots import style
from hierstan.plots.groups import group_word, labels, mean_words, require
from hierstan.plots.marks import MOST, name_points
from hierstan.plots.picture import Look, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Z = 1.96
FEWEST_NAMED = 3
CONTOURS = {0.1: 1.645, 0.05: 1.96, 0.01: 2.576}  # two-sided p values, and their z
DASHES: dict[float, str | tuple[int, tuple[int, int]]] = {
    0.1: (0, (1, 2)),
    0.05: (0, (4, 2)),
    0.01: "-",
}
HEIGHTS = {0.1: 0.97, 0.05: 0.85, 0.01: 0.73}  # where their names stand along the lines
FEW = 10  # studies, below which the shape of a funnel is a matter of chance


@picture
def plot_funnel(
    fit: Fit,
    *,
    contours: bool = False,
    **look: Unpack[Look],
) -> Figure:
    """Draw raw estimates against their standard errors, with the funnel chance alone would fill.

    Parameters
    ----------
    fit : Fit
        Of partial or complete pooling.
    contours : bool
        Mark where a study alone would be significant, against no effect: two-sided p values of 0.1,
        0.05 and 0.01 (Peters et al. 2008, doi:10.1016/j.jclinepi.2007.11.010).
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        On the link scale, the most precise estimates on top. Between the dashed lines,
        ``mu ± 1.96 se``, 95% of the estimates would lie if the groups did not differ; the lighter
        band, ``mu ± 1.96 sqrt(se^2 + tau^2)``, allows for their differences. ``mu`` and ``tau`` are
        posterior means; complete pooling has no ``tau``. The estimates that lie farthest out,
        counted in these standard deviations, are named: three, or up to eight of those outside the
        band.

    Raises
    ------
    HierstanError
        If the fit is one of no pooling, or has the prior only; if `contours` are asked of outcomes
        without a place of no effect.

    Notes
    -----
    A lopsided funnel is no proof that studies went unpublished. Small studies may differ for other
    reasons: other patients or treatments, poorer methods, estimates that are correlated with their
    standard errors by construction (as ratios and proportions are), or chance. Fewer than ten
    studies are too few to judge at all [1]_.

    References
    ----------
    .. [1] Sterne et al. (2011), Recommendations for examining and interpreting funnel plot
       asymmetry in meta-analyses of randomised controlled trials, doi:10.1136/bmj.d4002.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_funnel(fit)
    >>> figure.axes[0].get_ylabel()
    'standard error'
    """
    check_fit(fit, "plot_funnel")
    require(fit, "mu", "plot_funnel")
    points, known = _points(fit)
    mu = float(fit.draws("mu").mean())
    tau = float(fit.draws("tau").mean()) if fit.model.has_population else 0.0
    away = np.abs(points[:, 0] - mu) / np.hypot(points[:, 1], tau)
    with style.quiet():
        fig, ax = style.new_figure(7.0, 5.4)
        _frame(ax, fit, points, mu, tau)
        _draw_limits(ax, mu, tau)
        if contours:
            _draw_contours(ax, fit)
        _draw_points(ax, points)
        style.legend(ax, _keys(fit))
        style.finish(fig, _title(fit, points, mu, away), _caption(fit, len(points), contours))
        worst = np.argsort(-away, kind="stable")[: max(FEWEST_NAMED, int((away > Z).sum()))][:MOST]
        names = np.array(labels(fit.data.groups), dtype=object)[known]
        rest = np.delete(points, worst, axis=0)
        name_points(ax, points[worst], names[worst].tolist(), rest)
        return style.settle(fig)


# internals ------------------------------------------------------------------------------------


def _points(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return estimate and standard error of the groups (K, 2) that have both, and which have."""
    points = raw_estimates(fit.data)[["link", "link_se"]].to_numpy(dtype=float)
    known = np.isfinite(points).all(axis=1)
    if not known.any():
        raise HierstanError("plot_funnel needs a group whose estimate has a finite standard error.")
    return points[known], known


def _frame(ax: Axes, fit: Fit, points: np.ndarray, mu: float, tau: float) -> None:
    """Set both axes up: the largest standard error at the bottom, none at the top."""
    bottom = 1.06 * float(points[:, 1].max())
    ax.set_ylim(bottom, 0)
    reach = 1.02 * Z * float(np.hypot(bottom, tau))
    left = min(mu - reach, float(points[:, 0].min()))
    right = max(mu + reach, float(points[:, 0].max()))
    margin = 0.03 * (right - left)
    ax.set_xlim(left - margin, right + margin)
    ax.set_xlabel(mean_words(fit, "link"))
    ax.set_ylabel("standard error")
    style.grid_lines(ax, "both")


def _draw_limits(ax: Axes, mu: float, tau: float) -> None:
    """Draw mu and where chance puts 95% of the estimates, without and with heterogeneity."""
    se = np.linspace(0, ax.get_ylim()[0], 200)
    wide, narrow = Z * np.hypot(se, tau), Z * se
    if tau > 0:
        ax.fill_betweenx(se, mu - wide, mu + wide, color=style.BAND, lw=0, zorder=0)
        for side in (-wide, wide):
            ax.plot(mu + side, se, color=style.PRIOR, lw=0.8, ls=(0, (1, 2)), zorder=1)
    ax.fill_betweenx(se, mu - narrow, mu + narrow, color=style.CORE, lw=0, zorder=0.1)
    for side in (-narrow, narrow):
        ax.plot(mu + side, se, color=style.QUIET, lw=0.9, ls=(0, (4, 3)), zorder=1)
    ax.axvline(mu, color=style.INK, lw=0.9, zorder=1)


def _draw_contours(ax: Axes, fit: Fit) -> None:
    """Draw the lines on which a study's own p value is 0.1, 0.05 and 0.01, and name them."""
    if not (fit.family.estimates or fit.family.treatment):
        raise HierstanError(
            "contours=True marks what is significant against no effect, so it is for estimates of "
            f"effects, not for {fit.data.family} data. Leave it out."
        )
    bottom = ax.get_ylim()[0]
    se = np.array([0.0, bottom])
    for p, z in CONTOURS.items():
        for side in (-z, z):
            ax.plot(side * se, se, color=style.ALERT, lw=0.8, ls=DASHES[p], zorder=1.5)
        height = HEIGHTS[p] * min(bottom, ax.get_xlim()[1] / z)
        place = (z * height, height)
        ax.annotate(
            f"p = {p}", place, (-2, 3), textcoords="offset points", ha="right", va="bottom",
            fontsize=style.SMALL_SIZE - 1, color=style.ALERT, zorder=4,
        )  # fmt: skip


def _draw_points(ax: Axes, points: np.ndarray) -> None:
    many = len(points) > 200
    look: dict[str, Any] = {"ms": 2.2, "mew": 0, "alpha": 0.6} if many else {"ms": 6, "mew": 0.6}
    look |= {"color": style.RAW, "mec": "white", "clip_on": False}
    ax.plot(points[:, 0], points[:, 1], "o", zorder=3, **look)


def _keys(fit: Fit) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: list[object] = [
        Line2D([], [], ls="", marker="o", ms=6, color=style.RAW, label="raw estimate"),
        Line2D([], [], color=style.INK, lw=0.9, label="population mean"),
        Patch(color=style.CORE, label="95% by chance alone"),
    ]
    if fit.model.has_population:
        keys.append(Patch(color=style.BAND, label="95% with differences"))
    return keys


def _title(fit: Fit, points: np.ndarray, mu: float, away: np.ndarray) -> str:
    narrow = int((np.abs(points[:, 0] - mu) > Z * points[:, 1]).sum())
    what = f"{mean_words(fit, 'link')} by {group_word(fit.data)}"
    found = f"{narrow:,} of {len(points):,} outside the funnel that chance alone would fill"
    if fit.model.shares_mean:
        return f"{what}: {found}"
    return f"{what}: {found}, {int((away > Z).sum()):,} outside the one that allows for differences"


def _caption(fit: Fit, count: int, contours: bool) -> str:
    missing = len(fit.data.groups) - count
    causes = "a lopsided funnel has many causes besides unpublished studies"
    parts = [
        f"About 5% lie outside by chance; {causes}",
        *(["red lines: a study alone would be significant beyond them"] if contours else []),
        *([f"fewer than {FEW} are too few to judge its shape"] if count < FEW else []),
        *([f"{missing:,} without a finite standard error are left out"] if missing else []),
    ]
    return "; ".join(parts) + "."

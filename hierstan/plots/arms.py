"""L'Abbé plot: the control arm of every group against its treated arm, and their population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.differences.arms import arms
from hierstan.data.own_estimates import raw_arms
from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_arms import own_draws, treatment_of
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import (
    POOLING_WORDS,
    arm_words,
    check_scale,
    group_word,
    labels,
    require_posterior,
)
from hierstan.plots.picture import Look, picture
from hierstan.plots.point_names import name_points
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 12  # names at most
TURNS = np.linspace(0, 2 * np.pi, 361)
LARGEST, LEAST = 110.0, 9.0  # areas of marks in square points


@dataclass(frozen=True)
class Space:
    """Where arms are drawn: on the response or the link scale, other parameters at their means."""

    family: Treatment
    own: dict[str, np.ndarray]
    scale: str

    def of(self, link: np.ndarray) -> np.ndarray:
        """Return places on the link scale, (K,), as they are drawn."""
        if self.scale == "link":
            return np.asarray(link)
        return np.asarray(self.family.means(np.asarray(link)[None], self.own)[0])


@picture
def plot_arms(
    fit: Fit,
    *,
    prob: float | None = None,
    scale: str = "response",
    **look: Unpack[Look],
) -> Figure:
    """Draw the mean of every group's treated arm against that of its control arm.

    Parameters
    ----------
    fit : Fit
        Of any pooling, of data with two arms (`GroupedData.from_trial`, `.from_arms`).
    prob : float, optional
        Of the population's ellipse: a group not yet seen lies inside with this probability. Only
        partial pooling has one.
    scale : {"response", "link"}
        Rates that differ by more than twenty times have logarithmic axes.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Hollow circles are what each group's own data say, filled dots the posterior means, joined
        by a line; their areas are how much is known of the group's effect. On the diagonal there is
        no effect.

    Raises
    ------
    HierstanError
        For a fit of data without arms, or of the prior alone.

    References
    ----------
    L'Abbé, Detsky and O'Rourke 1987, doi:10.7326/0003-4819-107-2-224; van Houwelingen, Arends and
    Stijnen 2002, doi:10.1002/sim.1040, whose figures 4 and 5 have the ellipse.

    Examples
    --------
    >>> import hierstan as hs
    >>> trials = hs.load_dataset("bcg")
    >>> data = hs.GroupedData.from_arms(
    ...     trials, group="trial",
    ...     events_treatment="vaccinated_positive", total_treatment="vaccinated_total",
    ...     events_control="control_positive", total_control="control_total",
    ... )
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_arms(fit)
    >>> figure.axes[0].get_xlabel()
    'control_positive / control_total, control (log scale)'
    """
    prob = check_prob(prob)
    check_fit(fit, "plot_arms")
    family = treatment_of(fit, "plot_arms")
    check_scale(scale)
    require_posterior(fit, "plot_arms")
    own = own_draws(fit)
    own |= {name: own[name].mean(axis=0, keepdims=True) for name in family.parameters}
    space = Space(family, own, scale)
    table = _table(fit, space)
    ellipse = _ellipse(fit, prob) if fit.model.has_population else None
    link = "identity" if family.base.link == "identity" else "log"  # rates are like counts here
    log = layout.wants_log(link, scale, table[["baseline", "treated"]].to_numpy())
    with style.quiet():
        fig, ax = style.new_figure(6.4, 6.6)
        _frame(ax, fit, table, space, ellipse, log)
        if ellipse is not None:
            x, y = (space.of(side) for side in ellipse)
            ax.fill(x, y, color=style.BAND, lw=0, zorder=0)
            ax.plot(x, y, color=style.PRIOR, lw=0.8, zorder=0.1)
        _draw(ax, fit, table)
        style.legend(ax, _keys(fit, ellipse is not None, prob))
        fig = style.finish(fig, _title(fit, table), _caption(fit, table, log))
        order = table["area"].sort_values(ascending=False, kind="stable").index
        places = table.loc[order, ["baseline", "treated"]].to_numpy()
        name_points(ax, places, table.loc[order, "label"].tolist(), NAMED)
        return fig


# internals ------------------------------------------------------------------------------------


def _table(fit: Fit, space: Space) -> pd.DataFrame:
    """Return both arms of each group, as pooled and as its own data say, and a size for its mark.

    An arm that a group lacks has no raw value.
    """
    table = arms(fit, scale=space.scale)[["baseline", "treated"]].reset_index(drop=True)
    raw = raw_arms(fit.data)
    variance = np.zeros(len(table))
    for name, arm in (("raw_baseline", "control"), ("raw_treated", "treatment")):
        own = raw[arm]
        plain = space.scale == "response" and not space.family.base.medians
        values = own["raw"].to_numpy() if plain else space.of(own["link"].to_numpy())
        table[name] = np.where(np.isfinite(own["link_se"]), values, np.nan)
        variance += own["link_se"].to_numpy() ** 2
    known = 1 / variance
    table["area"] = np.maximum(LARGEST * known / known.max(), LEAST)
    table["label"] = labels(fit.data.groups)
    return table


def _ellipse(fit: Fit, prob: float) -> np.ndarray:
    """Return the ellipse of a new group's baseline and treated arm on the link scale, (2, K).

    It has the mean and the covariance of the posterior predictive distribution, parameters
    uncertain, and the size of a normal distribution's.
    """
    baseline = fit.draws("baseline_new")
    both = np.stack([baseline, baseline + fit.draws("theta_new")])
    root = np.linalg.cholesky(np.cov(both))
    reach = np.sqrt(-2 * np.log1p(-prob))  # of a chi-squared distribution with two degrees
    circle = np.stack([np.cos(TURNS), np.sin(TURNS)])
    return np.asarray(both.mean(axis=1)[:, None] + reach * root @ circle)


def _frame(
    ax: Axes, fit: Fit, table: pd.DataFrame, space: Space, ellipse: np.ndarray | None, log: bool
) -> None:
    """Give both axes the same limits, which hold all that is pooled and, if near, what is raw."""
    means = table[["baseline", "treated"]].to_numpy().ravel()
    raw = table[["raw_baseline", "raw_treated"]].to_numpy().ravel()
    raw = raw[np.isfinite(raw) & ((raw > 0) | (not log))]
    around = means if ellipse is None else space.of(ellipse.ravel())
    least, most = np.array([around.min()]), np.array([around.max()])
    low, high = layout.limits(means, raw, least, most, log)
    if space.family.base.link != "identity" and space.scale == "response" and not log:
        low = max(low, -0.02 * high)
    layout.make_square(ax, low, high, log)
    ax.plot([low, high], [low, high], color=style.INK, lw=0.9, zorder=1)
    style.grid_lines(ax, "both")
    logs = " (log scale)" * log
    control, treated = arm_words(fit, space.scale)
    ax.set_xlabel(f"{control}{logs}")
    ax.set_ylabel(f"{treated}{logs}")
    if space.family.base.shares and space.scale == "response":
        style.show_percent(ax, both=True)


def _draw(ax: Axes, fit: Fit, table: pd.DataFrame) -> None:
    """Draw raw and pooled means, joined by lines, and the names that there is room for."""
    crowded = len(table) > layout.CROWDED
    color = style.POOLING_COLORS[fit.model.name]
    areas = table["area"] / (4 if crowded else 1)
    ends = [table[[f"raw_{name}", name]].to_numpy().T for name in ("baseline", "treated")]
    ax.plot(*ends, color=style.QUIET, lw=0.5 if crowded else 0.8, zorder=2)
    ax.scatter(
        ends[0][0], ends[1][0], s=areas, facecolor="none", edgecolor=style.RAW,
        lw=0.5 if crowded else 1.0, zorder=2.5,
    )  # fmt: skip
    ax.scatter(ends[0][1], ends[1][1], s=areas, color=color, edgecolor="white", lw=0.4, zorder=3)


def _keys(fit: Fit, ellipse: bool, prob: float) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dot: dict[str, Any] = {"ls": "", "marker": "o", "ms": 6}
    color = style.POOLING_COLORS[fit.model.name]
    keys: list[object] = [
        Line2D([], [], mfc="none", mec=style.RAW, label=f"{group_word(fit.data)} alone", **dot),
        Line2D([], [], color=color, mew=0, label=POOLING_WORDS[fit.model.name], **dot),
        Line2D([], [], color=style.INK, lw=0.9, label="no effect"),
    ]
    if ellipse:
        words = f"{percent(prob)} of new groups"
        keys.append(Patch(facecolor=style.BAND, edgecolor=style.PRIOR, label=words))
    return keys


def _title(fit: Fit, table: pd.DataFrame) -> str:
    higher = int((table["treated"] > table["baseline"]).sum())
    what = f"treated against control arm by {group_word(fit.data)}"
    return (
        f"{what}: {higher:,} of {len(table):,} above the line of no effect, "
        f"{len(table) - higher:,} below"
    )


def _caption(fit: Fit, table: pd.DataFrame, log: bool) -> str:
    raw = table[["raw_baseline", "raw_treated"]]
    absent = int(raw.isna().any(axis=1).sum())
    none = int((raw == 0).any(axis=1).sum()) if log else 0
    parts = [
        "Dots are posterior means; areas show how much is known of the effect",
        *([f"{absent:,} with one arm only have no circle"] if absent else []),
        *([f"{none:,} with an arm of 0, which a log axis has no place for, too"] if none else []),
        f"names stand beside {NAMED} dots at most, where there is room",
    ]
    return "; ".join(parts) + "."

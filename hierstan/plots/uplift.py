"""Uplift: how every group compares with a control, and how sure that is."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import SURE, Values, values_of
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import group_word, labels, mean_words, outcome_word, shares
from hierstan.plots.picture import Look, picture
from hierstan.text.wording import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 60  # groups whose names and figures are written out
NUMBERS = ["mean", "sd", "lower", "upper", "inner_lower", "inner_upper"]
POINTS = "percentage points"
CHANCES = {
    "prob_better": "P(better)",
    "prob_equivalent": "P(same)",
    "prob_worse": "P(worse)",
}


@picture
def plot_uplift(
    fit: Fit | TwoPartFit,
    control: Any = None,
    *,
    relative: bool = False,
    caring: float | tuple[float, float] | None = None,
    prob: float | None = None,
    scale: str = "response",
    larger_is_better: bool = True,
    **look: Unpack[Look],
) -> Figure:
    """Draw the difference of every group from a control, best on top.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of any pooling; of both parts, the differences in revenue per customer.
    control : group label
    relative : bool
        Divide the differences by the control's mean, which has to be above 0; drawn as percentages.
    caring : float or (float, float), optional
        Region of practical equivalence: differences (relative ones, if so; 0.1 is ten percent) that
        do not matter. Drawn as a band.
    prob : float, optional
        Probability of the thin, equal-tailed intervals; the thick ones have 50%.
    scale : {"response", "link", "mean"}
        As in `uplift`.
    larger_is_better : bool
        Differences are group minus control in either case; this says which sign is better.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Groups by their mean difference, with the numbers of `uplift` at the right. Of more than 60
        groups only the first and last six are named.

    Raises
    ------
    DataError
        For a control that is no group.
    HierstanError
        If there is no group but the control, for an impossible `prob` or `caring`, or with
        `relative` for a control that may be 0 or below.

    Warns
    -----
    HierstanWarning
        If a mean is infinite, or rests on a few extreme draws.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_uplift(fit, control="C", caring=1)
    >>> figure.axes[0].get_xlabel()
    'effect, difference from C'
    """
    prob = check_prob(prob)
    values = values_of(fit, scale, larger_is_better)
    table = _table(values, control, relative, caring, prob)
    points = shares(fit, scale) and not relative
    table[NUMBERS] *= 100 if relative else 1
    ends = np.asarray(losses.equivalent(caring)) * (100 if relative else 1)
    band = None if caring is None else ends
    name = labels(values.groups)[values.position(control)]
    with style.quiet():
        height = layout.rows_height(len(table), NAMED)
        fig, ax = style.new_figure(7.6 if caring is None else 8.8, height + 1.7)
        layout.name_rows(ax, list(table["label"]), height, NAMED)
        _frame(ax, table, band)
        ax.set_xlabel(textwrap.fill(_axis_words(fit, name, scale, relative), 72))
        cut = _draw(ax, fit, table, band)
        if len(table) <= NAMED:
            _write_figures(ax, table, prob, "%" if relative else POINTS * points)
        if points:
            style.show_percent(ax, "")
        title = _title(fit, table, name, scale, caring)
        return style.finish(fig, title, _caption(fit, table, prob, caring, larger_is_better, cut))


# internals ------------------------------------------------------------------------------------


def _table(
    values: Values, control: Hashable, relative: bool, caring: Any, prob: float
) -> pd.DataFrame:
    """Return the lines of `hierstan.uplift` with 50% intervals and labels, best first."""
    losses.check_control(values, control)
    table = losses.differences(values, control, relative=relative, caring=caring, prob=prob)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)  # said already
        inner = losses.differences(values, control, relative=relative, prob=0.5)
    table = table.assign(
        inner_lower=inner["lower"], inner_upper=inner["upper"], label=labels(values.groups)
    )
    table = table[np.arange(len(table)) != values.position(control)].reset_index(drop=True)
    if table.empty:
        raise HierstanError(f"plot_uplift needs a group to compare with {show(control)}.")
    return table.sort_values(
        "mean", ascending=not values.larger_is_better, kind="stable", ignore_index=True
    )


def _frame(ax: Axes, table: pd.DataFrame, band: np.ndarray | None) -> None:
    """Set the value axis up, with no difference and the band inside."""
    middle = np.nan_to_num((table["inner_lower"] + table["inner_upper"]) / 2, posinf=0, neginf=0)
    means = np.where(np.isfinite(table["mean"]), table["mean"], middle)
    lower, upper = (
        np.where(np.isfinite(table[end]), table[end], means) for end in ("lower", "upper")
    )
    marks = np.r_[0.0, [] if band is None else band]
    left, right = layout.limits(means, marks, lower, upper, False)
    room = 0.0 if right > left else 1.0  # completely pooled groups do not differ at all
    ax.set_xlim(left - room, right + room)
    style.grid_lines(ax)


def _draw(ax: Axes, fit: Fit | TwoPartFit, table: pd.DataFrame, band: np.ndarray | None) -> bool:
    """Draw band, zero line, intervals and means, and say whether an interval was cut."""
    color = style.POOLING_COLORS[fit.model.name]
    ys = np.arange(len(table))
    crowded = len(table) > layout.CROWDED
    thin, thick, size = (0.7, 0.9, 1.6) if crowded else (1.1, 3.2, 5.5)
    shades = [style.tint(color, share) for share in ((0.25, 0.6) if crowded else (1, 1))]
    if band is not None:
        ax.axvspan(*band, color=style.CORE, lw=0, zorder=0)
    ax.axvline(0, color=style.INK, lw=0.9, zorder=2.5 if crowded else 1)
    left, right = ax.get_xlim()
    ends = table.drop(columns="label").clip(2 * left - right, 2 * right - left)  # none is infinite
    ax.hlines(ys, ends["lower"], ends["upper"], color=shades[0], lw=thin, zorder=2)
    ax.hlines(ys, ends["inner_lower"], ends["inner_upper"], color=shades[1], lw=thick, zorder=2.1)
    edge: dict[str, Any] = {"mec": "white", "mew": 0.0 if crowded else 0.5}
    ax.plot(table["mean"], ys, "o", color=color, ms=size, zorder=3, **edge)
    return layout.mark_cut(ax, table["lower"], table["upper"], ys, color)


def _write_figures(ax: Axes, table: pd.DataFrame, prob: float, unit: str) -> None:
    """Write mean, interval and chances of every row at the right."""
    means, spans = layout.figures(table, POINTS if unit == POINTS else "")
    if unit == "%":
        means = [f"{text}%" for text in means]
    columns = {unit if unit == POINTS else "mean": means, f"{style.percent(prob)} interval": spans}
    for column, header in CHANCES.items():
        if column in table:
            columns[header] = [style.chance(chance) for chance in table[column]]
    layout.write_columns(ax, range(len(table)), columns)


def _words(fit: Fit | TwoPartFit, scale: str) -> str:
    """Return what is compared, in the user's words."""
    if scale == "mean" and isinstance(fit, Fit) and fit.family.medians:
        return f"mean of {outcome_word(fit.data)}"
    return mean_words(fit, "link" if scale == "link" else "response")


def _axis_words(fit: Fit | TwoPartFit, control: str, scale: str, relative: bool) -> str:
    difference = "relative difference (%)" if relative else "difference"
    points = f" ({POINTS})" * (shares(fit, scale) and not relative)
    return f"{_words(fit, scale)}, {difference} from {control}{points}"


def _title(
    fit: Fit | TwoPartFit, table: pd.DataFrame, control: str, scale: str, caring: Any
) -> str:
    what = f"{_words(fit, scale)} by {group_word(fit.data)} against {control}"
    if fit.prior_only:
        return f"{what}: the prior, before any data"
    better = int((table["prob_better"] > SURE).sum())
    worst = table["prob_worse"] if caring is not None else 1 - table["prob_better"]
    worse = int((worst > SURE).sum())
    found = f"{better:,} of {len(table):,} clearly better".replace(" of ", "\N{NO-BREAK SPACE}of ")
    return f"{what}: {found}, {worse:,} clearly worse (P > {style.percent(SURE)})"


def _caption(
    fit: Fit | TwoPartFit,
    table: pd.DataFrame,
    prob: float,
    caring: Any,
    larger_is_better: bool,
    cut: bool,
) -> str:
    means = "prior means" if fit.prior_only else "posterior means"
    parts = [
        f"{'Larger' if larger_is_better else 'Smaller'} is better, best on top",
        f"dots are {means}, thick lines 50% and thin lines {style.percent(prob)} intervals",
        *(["differences inside the band do not matter"] if caring is not None else []),
        *layout.told(cut, len(table), NAMED),
    ]
    return "; ".join(parts) + "."

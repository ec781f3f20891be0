"""Uplift: how every group compares with a control, and how sure that is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import SURE
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.picture import Look, picture
from hierstan.plots.uplift_tables import POINTS, Comparison, against_control, of_arms
from hierstan.text.numbers import share
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 60  # groups whose names and figures are written out
CHANCES = {
    "prob_better": "P(better)",
    "prob_equivalent": "P(same)",
    "prob_worse": "P(worse)",
}


@picture
def plot_uplift(
    fit: Fit | TwoPartFit,
    control: object = None,
    *,
    relative: bool = False,
    caring: float | tuple[float, float] | None = None,
    prob: float | None = None,
    scale: str = "response",
    larger_is_better: bool = True,
    **look: Unpack[Look],
) -> Figure:
    """Draw the difference of every group from a control, best on top.

    Of data with two arms, and without a `control`: what the treatment adds in each group, on the
    outcome's own scale, and in all of them, as large as they are in the data (`absolute_effects`).

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of any pooling; of both parts, the differences in revenue per customer.
    control : group label
        With two arms, it may be left out.
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
    ends = np.asarray(losses.equivalent(caring)) * (100 if relative else 1)
    band = None if caring is None else ends
    options: dict[str, Any] = {"relative": relative, "caring": caring, "prob": prob}
    options["larger_is_better"] = larger_is_better
    if control is None and isinstance(fit, Fit) and fit.family.treatment:
        if scale == "link":
            raise HierstanError(
                "The uplift of a treatment is on the outcome's own scale; plot_forest(fit) draws "
                "its effects on the link scale."
            )
        found = of_arms(fit, **options)
    else:
        found = against_control(fit, control, scale=scale, **options)
    table, below = found.table, found.below
    with style.quiet():
        height = layout.rows_height(len(table), NAMED) + 0.25 * len(below)
        wide = 7.6 + 1.2 * (caring is not None) + 0.7 * len(found.beside)
        fig, ax = style.new_figure(wide, height + 1.7)
        layout.name_rows(ax, list(table["label"]), height, NAMED, list(below["label"]))
        _frame(ax, pd.concat([table, below]), band)
        ax.set_xlabel(textwrap.fill(found.axis, 72))
        cut = _draw(ax, fit, table, below, band)
        if len(table) <= NAMED:
            _write_figures(ax, found, prob)
        if found.unit == POINTS:
            style.show_percent(ax, "")
        title = _title(fit, found, caring)
        return style.finish(fig, title, _caption(fit, found, prob, caring, larger_is_better, cut))


# internals ------------------------------------------------------------------------------------


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


def _draw(
    ax: Axes,
    fit: Fit | TwoPartFit,
    table: pd.DataFrame,
    below: pd.DataFrame,
    band: np.ndarray | None,
) -> bool:
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
    cut = layout.mark_cut(ax, table["lower"], table["upper"], ys, color)
    for y, (_, line) in zip(
        layout.rows_below(len(table), len(below)), below.iterrows(), strict=True
    ):
        ax.axhline((len(table) - 1 + y) / 2, color=style.QUIET, lw=0.6)
        ax.hlines(y, line["lower"], line["upper"], color=style.INK, lw=1.1)
        ax.hlines(y, line["inner_lower"], line["inner_upper"], color=style.INK, lw=3.2)
        ax.plot(line["mean"], y, "D", color=style.INK, ms=6, mec="white", mew=0.5)
    return cut


def _write_figures(ax: Axes, found: Comparison, prob: float) -> None:
    """Write mean, interval and chances of every row at the right, with what stands beside."""
    table, unit = pd.concat([found.table, found.below]), found.unit
    means, spans = layout.figures(table, POINTS if unit == POINTS else "")
    if unit == "%":
        means = [f"{text}%" for text in means]
    columns = found.beside | {
        unit if unit == POINTS else "mean": means,
        f"{percent(prob)} interval": spans,
    }
    for column, header in CHANCES.items():
        if column in table:
            columns[header] = [share(chance) for chance in table[column]]
    layout.write_columns(ax, [float(y) for y in ax.get_yticks()], columns)


def _title(fit: Fit | TwoPartFit, found: Comparison, caring: object) -> str:
    what, table = found.what, found.table
    if fit.prior_only:
        return f"{what}: the prior, before any data"
    better = int((table["prob_better"] > SURE).sum())
    worst = table["prob_worse"] if caring is not None else 1 - table["prob_better"]
    worse = int((worst > SURE).sum())
    clearly = f"{better:,} of {len(table):,} clearly better"
    clearly = clearly.replace(" of ", "\N{NO-BREAK SPACE}of ")
    return f"{what}: {clearly}, {worse:,} clearly worse (P > {percent(SURE)})"


def _caption(
    fit: Fit | TwoPartFit,
    found: Comparison,
    prob: float,
    caring: object,
    larger_is_better: bool,
    cut: bool,
) -> str:
    means = "prior means" if fit.prior_only else "posterior means"
    parts = [
        f"{'Larger' if larger_is_better else 'Smaller'} is better, best on top",
        f"dots are {means}, thick lines 50% and thin lines {percent(prob)} intervals",
        *(["differences inside the band do not matter"] if caring is not None else []),
        *layout.told(cut, len(found.table), NAMED),
    ]
    return "; ".join(parts) + "."

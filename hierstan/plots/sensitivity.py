"""Prior sensitivity: how far the answer about `tau` moves with its prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import pandas as pd

from hierstan.errors import HierstanError
from hierstan.plots import style
from hierstan.plots.axes import write_columns
from hierstan.plots.picture import Look, named, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hierstan.answers.comparison.prior_sensitivity import PriorSensitivity

COLUMNS = ("mean", "lower", "upper", "best")


@picture
def plot_prior_sensitivity(
    sensitivity: PriorSensitivity,
    **look: Unpack[Look],
) -> Figure:
    """Draw the posterior of ``tau`` under each prior of the sweep.

    Parameters
    ----------
    sensitivity : PriorSensitivity
        What `prior_sensitivity` returns.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Posterior mean and 90% interval of ``tau`` by prior, the fitted one on top, with the highest
        group and, where the three poolings were given, the preferred one.

    Raises
    ------
    HierstanError
        If it has no such sweep.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_prior_sensitivity(hs.prior_sensitivity(fit))
    >>> figure.axes[0].get_yticklabels()[0].get_text()
    'HalfNormal(15.71), as fitted'
    """
    sweep = _checked(sensitivity)
    own = [style.literal(name) for name in sweep.index]
    own[0] += ", as fitted"
    names = named(list(sweep.index), own)
    colors = [style.ALERT if name.startswith("Uniform") else style.INK for name in sweep.index]
    colors[0] = style.POOLING_COLORS["partial"]
    columns = {"highest": [style.literal(best) for best in sweep["best"]]}
    if "preferred" in sweep:
        columns["preferred"] = [str(name) if name else "can't tell" for name in sweep["preferred"]]
    rows = range(len(sweep))
    with style.quiet():
        fig, ax = style.new_figure(8.0, 0.36 * len(sweep) + 1.7)
        ax.axvline(sweep["mean"].iloc[0], color=style.GRID, lw=1.2, zorder=0.5)
        ax.hlines(rows, sweep["lower"], sweep["upper"], color=colors, lw=2.4, zorder=2)
        ax.scatter(sweep["mean"], rows, color=colors, s=42, edgecolor="white", lw=0.6, zorder=3)
        ax.set_yticks(rows, labels=names, fontsize=style.TEXT_SIZE)
        ax.set_ylim(len(sweep) - 0.4, -0.6)
        ax.set_xlim(left=0)
        ax.set_xlabel("standard deviation between groups: posterior mean and 90% interval")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        style.grid_lines(ax)
        write_columns(ax, rows, columns)
        return style.finish(fig, _title(sensitivity), sensitivity.verdict)


# internals ------------------------------------------------------------------------------------


def _checked(sensitivity: object) -> pd.DataFrame:
    sweep = getattr(sensitivity, "sweep", None)
    if not isinstance(sweep, pd.DataFrame) or not set(COLUMNS) <= set(sweep.columns):
        raise HierstanError(
            "plot_prior_sensitivity takes what hs.prior_sensitivity(fit) returns, "
            f"got {type(sensitivity).__name__}."
        )
    return sweep


def _title(sensitivity: PriorSensitivity) -> str:
    if sensitivity.changes:
        return "The conclusion depends on the prior of how much groups differ"
    return "The conclusion is the same under each prior of how much groups differ"

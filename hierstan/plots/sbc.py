"""Pictures of simulation-based calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from hierstan.errors import HierstanError
from hierstan.plots import style
from hierstan.plots.picture import Look, named, new_axes, picture
from hierstan.text.tables import percent
from hierstan.trust.sbc_result import SBCResult
from hierstan.trust.uniformity import bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
BINS = 20
KINDS = ("ecdf", "hist")


@picture
def plot_sbc(
    result: SBCResult,
    kind: str = "ecdf",
    prob: float = 0.95,
    **look: Unpack[Look],
) -> Figure:
    """Draw the ranks of simulation-based calibration.

    Parameters
    ----------
    result : SBCResult
    kind : {"ecdf", "hist"}
        ``"ecdf"``: by how much the ranks' distribution function differs from a uniform one, with a
        band that holds all of it with probability `prob` if the ranks are uniform (Säilynoja,
        Bürkner and Vehtari 2022, doi:10.1007/s11222-022-10090-6). ``"hist"``: histograms, with the
        range of each bar.
    prob : float
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    HierstanError

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> checked = hs.sbc(
    ...     hs.CompletePooling(), data, replicates=20, seed=1, n_jobs=1, progress=False
    ... )
    >>> figure = hs.plot_sbc(checked)
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['mu', 'log_lik']
    """
    if not isinstance(result, SBCResult):
        raise HierstanError(
            f"plot_sbc takes what hs.sbc(model, data) returns, got {type(result).__name__}."
        )
    if kind not in KINDS:
        raise HierstanError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}.")
    if not 0 < prob < 1:
        raise HierstanError(f"prob must be a number in the open interval (0, 1), got {prob!r}.")
    with style.quiet():
        return _ecdf(result, prob) if kind == "ecdf" else _hist(result, prob)


# internals ------------------------------------------------------------------------------------


def _title(result: SBCResult) -> str:
    bad = [str(name) for name in result.table.index[~result.table["ok"]]]
    over = f"over {len(result.ranks):,} simulated data sets"
    if bad:
        return f"Ranks of {', '.join(map(style.literal, bad))} are not uniform {over}"
    return f"Ranks of true values among {result.draws} draws look uniform {over}"


def _panels(result: SBCResult) -> tuple[Figure, list[tuple[str, Axes]]]:
    """Return a figure and an axes for each quantity."""
    names = [str(name) for name in result.ranks]
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    size = (max(2.3 * columns, 5.0), 1.9 * rows + 1.0)
    axes = new_axes(*size, rows, columns, sharex=True, sharey=True)
    shown = named(names, [style.literal(name) for name in names])
    for ax in list(axes.flat)[len(names) :]:
        ax.set_visible(False)
    for ax, name in zip(axes.flat, shown, strict=False):
        ax.set_title(name)
    return axes[0, 0].figure, list(zip(names, axes.flat, strict=False))


def _color(result: SBCResult, name: str) -> str:
    return style.POOLING_COLORS["partial"] if result.table.loc[name, "ok"] else style.ALERT


def _ecdf(result: SBCResult, prob: float) -> Figure:
    # not arviz_plots.plot_ecdf_pit: its arguments differ between 0.8 and 1.3, and these bands are
    # those of discrete ranks
    N, top = len(result.ranks), result.draws
    z, low, high = bands(N, top, prob)
    fig, panels = _panels(result)
    for name, ax in panels:
        below = np.cumsum(np.bincount(result.ranks[name], minlength=top + 1))[:-1] / N
        ax.fill_between(z, low - z, high - z, step="mid", color=style.CORE, linewidth=0)
        ax.axhline(0, color=style.PRIOR, linewidth=0.8)
        ax.step(z, below - z, where="mid", color=_color(result, name), linewidth=1.2)
    caption = (
        "Distribution function of the ranks minus that of uniform ones, by rank / draws. The band "
        f"holds all of the line with probability {percent(prob)} if posteriors are "
        "calibrated."
    )
    return style.finish(fig, _title(result), caption)


def _hist(result: SBCResult, prob: float) -> Figure:
    from scipy import stats

    N, top = len(result.ranks), result.draws
    edges = np.unique(np.linspace(0, top + 1, min(BINS, top + 1) + 1).round())
    low, high = stats.binom.interval(prob, N, np.diff(edges) / (top + 1))
    fig, panels = _panels(result)
    for name, ax in panels:
        counts = np.histogram(result.ranks[name], edges - 0.5)[0]
        ax.stairs(high, edges, baseline=low, fill=True, color=style.CORE)
        ax.stairs(counts, edges, color=_color(result, name), linewidth=1.2)
    caption = (
        f"Histograms of ranks from 0 to {top}. Shaded: where each bar lies with probability "
        f"{percent(prob)} if posteriors are calibrated."
    )
    return style.finish(fig, _title(result), caption)

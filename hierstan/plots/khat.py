"""Pareto k: which units' leave-one-out numbers rest on importance weights that can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from hierstan.answers.comparison.elpd import ANEW, GOOD_K, HARD
from hierstan.errors import HierstanError
from hierstan.plots import style
from hierstan.plots.marks import name_points
from hierstan.plots.picture import Look, named, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hierstan.answers.comparison.elpd import Elpd


@picture
def plot_khat(
    loo_result: Elpd,
    **look: Unpack[Look],
) -> Figure:
    """Draw the Pareto k of every unit that was left out.

    Parameters
    ----------
    loo_result : Elpd
        What `loo` returns: ``pareto_k``, ``unit``, ``labels`` and ``method``, one of each unit.
    **look
        As of every picture.

    Returns
    -------
    matplotlib.figure.Figure
        Units in their order, with the line at 0.7 above which weights fail (Vehtari, Simpson,
        Gelman, Yao and Gabry 2024, JMLR 25(72)). The eight worst of those above it are named.
        Filled dots rest on importance weights, hollow ones were computed without them;
        ticks on the axis needed no weights.

    Raises
    ------
    HierstanError
        If the result has no Pareto k, as WAIC has none.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> figure = hs.plot_khat(hs.loo(fit))
    >>> figure.axes[0].get_ylabel()
    'Pareto k'
    """
    k, method = _checked(loo_result)
    keys = list(loo_result.labels)
    labels = named(keys, [style.literal(label) for label in keys])
    with style.quiet():
        fig, ax = style.new_figure(7.6, 3.9)
        model = getattr(loo_result, "model", "partial")
        _draw(ax, k, method, style.POOLING_COLORS.get(model, style.INK))
        ax.set_xlabel(f"{loo_result.unit}, in the order of the data")
        style.finish(fig, _title(loo_result.unit, k, method), _caption(method))
        above = np.flatnonzero(np.nan_to_num(k) > GOOD_K)
        worst = above[np.argsort(-k[above])]
        points = np.column_stack([np.arange(len(k)), k])
        name_points(
            ax, points[worst], [labels[unit] for unit in worst], np.delete(points, worst, 0)
        )
        return style.settle(fig)


# internals ------------------------------------------------------------------------------------


def _checked(result: Elpd) -> tuple[np.ndarray, np.ndarray]:
    """Return Pareto k and method of each unit, or refuse what has none."""
    if not all(hasattr(result, name) for name in ("pareto_k", "unit", "labels", "method")):
        raise HierstanError(
            f"plot_khat takes what hs.loo(fit) returns, got {type(result).__name__}."
        )
    method = np.asarray(result.method).astype(str)
    if (method == "waic").any():
        raise HierstanError("WAIC has no Pareto k. Use plot_khat(hs.loo(fit)).")
    return np.asarray(result.pareto_k, dtype=float), method


def _draw(ax: Axes, k: np.ndarray, method: np.ndarray, usual: str) -> None:
    units = np.arange(len(k))
    size = 5.5 if len(k) <= 100 else 3.5
    known = np.isfinite(k)
    top = max(0.85, float(k[known].max(initial=0)) * 1.12)
    bottom = min(-0.1, float(k[known].min(initial=0)) - 0.06)
    ax.axhspan(GOOD_K, top, color=style.BAND, lw=0, zorder=0)
    ax.axhline(GOOD_K, color=style.INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    for again in (False, True):
        for high in (False, True):
            chosen = known & (np.isin(method, ANEW) == again) & ((k > GOOD_K) == high)
            color = style.ALERT if high else usual
            fill = "white" if again else color
            ax.plot(units[chosen], k[chosen], "o", color=color, ms=size, mfc=fill)
    unneeded = units[~known & (method != "subsample")]
    ax.plot(unneeded, np.full(len(unneeded), bottom), "|", color=style.QUIET, ms=7)
    ax.set_ylim(bottom, top)
    margin = max(0.6, 0.02 * len(k))
    ax.set_xlim(-margin, len(k) - 1 + margin)
    ax.set_xticks(_positions(len(k)), labels=[f"{unit + 1:,}" for unit in _positions(len(k))])
    ax.set_ylabel("Pareto k")
    style.grid_lines(ax, "y")


def _positions(count: int) -> list[int]:
    """Return a handful of whole positions to put ticks at, counted from 0."""
    step = next(s * 10**p for p in range(9) for s in (1, 2, 5) if count / (s * 10**p) <= 11)
    return [0, *range(step - 1 or 1, count, step)] if step > 1 else list(range(count))


def _title(unit: str, k: np.ndarray, method: np.ndarray) -> str:
    above = np.nan_to_num(k) > GOOD_K
    anew, failed = int(np.isin(method, ANEW).sum()), int((above & (method == "psis")).sum())
    left_out = int((method != "subsample").sum())
    total = f"{len(k):,} {unit}s"
    total = f"a sample of {left_out:,} of {total}" if left_out < len(k) else total
    if failed:
        return f"Not to be relied on, for a Pareto k above {GOOD_K}: {failed:,} of {total}"
    if anew:
        return f"Left out without importance weights, {HARD}: {anew:,} of {total}"
    if not np.isfinite(k).any():
        return f"No importance weights were needed for any of {total}"
    return f"Importance weights can be trusted for all of {total}"


def _caption(method: np.ndarray) -> str:
    words = {
        "psis": "filled dots rest on importance weights",
        "integral": "hollow dots were integrated anew without the unit",
        "refit": "hollow dots were fitted again without the unit",
        "exact": "ticks on the axis needed no weights",
        "impossible": "hollow dots hold all variation, and cannot be left out",
    }
    parts = [text for how, text in words.items() if (method == how).any()]
    told = "; ".join([f"Above {GOOD_K}, in the grey band, importance weights fail", *parts])
    return f"{told}."

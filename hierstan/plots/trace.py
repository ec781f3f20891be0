"""Traces: whether the chains of the population's parameters mixed, and where they diverged."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.taken import check_fit
from hierstan.plots import style
from hierstan.plots.picture import Look, canvas, named, picture, whole
from hierstan.sampling.convergence import parameter_table

CHAINS = ("#332288", "#44AA99", "#88CCEE", "#999933")  # Tol's muted scheme; no pooling's colour
MOST_ROWS = 12  # of panels; more scalars than that share one row by variable


@picture
def plot_trace(
    fit: Fit,
    var_names: str | Sequence[str] | None = None,
    **look: Unpack[Look],
) -> Any:
    """Draw density and trace of each chain, divergent transitions marked.

    Parameters
    ----------
    fit : Fit
    var_names : str or sequence of str, optional
        Which variables. By default the population's and the family's own parameters: ``mu``,
        ``tau``, ``sigma``, …; where there are none ``theta`` or, if its draws are not kept,
        ``theta_new``.
    **look
        As of every picture.

    Returns
    -------
    arviz_plots.PlotCollection
        Of ``arviz_plots.plot_trace_dist``. With ``ax=`` a matplotlib Figure: the traces alone, in a
        row for each variable, which has to have one number a draw.

    Raises
    ------
    HierstanError
        For a variable that the fit does not have, or one of many numbers in ``ax=``.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> sorted(hs.plot_trace(fit).viz["plot"].data_vars)
    ['mu', 'tau']
    """
    check_fit(fit, "plot_trace")
    import arviz_plots as azp
    from arviz_base.labels import MapLabeller

    names = _names(fit, var_names)
    words = named(names, names)
    if canvas().given.get("ax") is not None:
        return _draw_rows(fit, names, words)
    draws = fit.arrays
    panels = sum(int(np.prod(draws[name].shape[2:])) for name in names)
    compact = panels > MOST_ROWS
    rows = len(names) if compact else panels
    colors: Any = {} if compact else {"color": list(CHAINS)}
    figure, size = canvas().take("figure"), canvas().take("figsize")
    shape: dict[str, Any] = {"figsize": size or (8.0, 1.5 * rows + 1.2), "figsize_units": "inches"}
    if figure is not None:
        _check_whole(figure)
        shape = {"num": figure}
    with style.quiet(), warnings.catch_warnings():
        # of the size of a figure that is there already
        warnings.filterwarnings("ignore", "Ignoring specified arguments", UserWarning)
        plots = azp.plot_trace_dist(
            fit.sampled,
            var_names=names,
            group="prior" if fit.prior_only else "posterior",
            compact=compact,
            kind="kde",
            labeller=MapLabeller(var_name_map=dict(zip(names, words, strict=True))),
            backend="matplotlib",
            visuals={
                "dist": {"width": 1.2},
                "trace": {"width": 0.5, "alpha": 0.8},
                "divergence": {"color": style.ALERT, "size": 60, "width": 1.2},
                "label": {"size": style.TEXT_SIZE},
                "xlabel_trace": False,
                "ticklabels": {"size": style.SMALL_SIZE},
            },
            figure_kwargs=shape,
            **colors,
        )
        fig = plots.viz["figure"].item()
        fig.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
        for ax in fig.axes:
            ax.locator_params(axis="x", nbins=6)
        style.finish(fig, _title(fit, names), _caption(fit, compact))
    return plots


# internals ------------------------------------------------------------------------------------


def _check_whole(figure: Any) -> None:
    if whole(figure) is not figure:
        raise HierstanError("plot_trace fills a whole figure: figure= cannot be a part of one.")


def _draw_rows(fit: Fit, names: Sequence[str], words: Sequence[str]) -> Any:
    """Draw the traces of several variables below each other, each as high as the others."""
    many = [name for name in names if fit.arrays[name].ndim > 2]
    if many:
        raise HierstanError(
            f"plot_trace draws variables with one number a draw into ax=, which {many[0]} is not. "
            "Leave it out of var_names=, or give figure=."
        )
    diverging = _diverging(fit)
    with style.quiet():
        fig, ax = style.new_figure(8.0, 1.0)
        for row, name in enumerate(names):
            draws = fit.arrays[name]
            low, high = np.quantile(draws, [0.005, 0.995])
            heights = np.clip((draws - low) / max(high - low, 1e-300), -0.05, 1.05)
            for chain, values in enumerate(heights):
                line = row + 0.4 - 0.8 * values
                ax.plot(line, color=CHAINS[chain % len(CHAINS)], lw=0.5, alpha=0.8)
            at = np.flatnonzero(diverging.any(axis=0))
            ax.plot(at, np.full(len(at), row + 0.48), "|", color=style.ALERT, ms=5)
        ax.set_yticks(range(len(names)), labels=words)
        ax.set_ylim(len(names) - 0.45, -0.55)
        ax.set_xlabel("draw")
        return style.finish(fig, _title(fit, names))


def _diverging(fit: Fit) -> np.ndarray:
    """Return which transitions diverged, (chains, draws)."""
    return fit.stats["diverging"]


def _names(fit: Fit, wanted: str | Sequence[str] | None) -> list[str]:
    have = list(fit.arrays)
    if wanted is None:
        scalars = [name for name in have if fit.arrays[name].ndim == 2 and name != "theta_new"]
        first = [name for name in ("mu", "tau") if name in scalars]
        rest = [name for name in scalars if name not in first]
        return [*first, *rest] or ["theta" if fit.keeps_theta else "theta_new"]
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [name for name in names if name not in have]
    if unknown or not names:
        raise HierstanError(
            f"var_names: this fit has no variable {', '.join(map(repr, unknown)) or 'of no name'}. "
            f"It has {', '.join(sorted(have))}."
        )
    return names


def _divergences(fit: Fit) -> tuple[int, int]:
    diverging = _diverging(fit)
    return int(diverging.sum()), diverging.size


def _title(fit: Fit, names: Sequence[str]) -> str:
    r_hat = parameter_table(fit.arrays.only(names))["r_hat"].max()
    diverged, draws = _divergences(fit)
    mixed = "" if np.isnan(r_hat) else f"R-hat at most {r_hat:.3f}; "
    if diverged:
        return f"{mixed}{diverged:,} of {draws:,} transitions diverged"
    return f"{mixed}none of {draws:,} transitions diverged"


def _caption(fit: Fit, compact: bool) -> str:
    told = "Left: density of each chain; right: its draws in turn"
    lines = "" if compact else ", one colour a chain"
    marks = "; red marks are divergent transitions" if _divergences(fit)[0] else ""
    scale = "" if fit.family.link == "identity" else f"; {fit.family.link} scale"
    return f"{told}{lines}{marks}{scale}."

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
from hierstan.plots.picture import Look, canvas, picture, whole
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
        Of ``arviz_plots.plot_trace_dist``.

    Raises
    ------
    HierstanError
        For a variable that the fit does not have.

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

    names = _names(fit, var_names)
    draws = fit.posterior
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


def _names(fit: Fit, wanted: str | Sequence[str] | None) -> list[str]:
    have = [str(name) for name in fit.posterior.data_vars]
    if wanted is None:
        scalars = [name for name in have if fit.posterior[name].ndim == 2 and name != "theta_new"]
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
    stats = fit.sampled["sample_stats_prior" if fit.prior_only else "sample_stats"]
    diverging = stats["diverging"].to_numpy()
    return int(diverging.sum()), diverging.size


def _title(fit: Fit, names: Sequence[str]) -> str:
    r_hat = parameter_table(fit.posterior[list(names)])["r_hat"].max()
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

"""The log likelihood without group means, laid out for ArviZ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hierstan.answers.comparison.left_out import hyper_draws, units_of
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.taken import check_fit
from hierstan.sampling.run import keeps_pointwise

if TYPE_CHECKING:
    import xarray as xr

NAME = "y_integrated"


def integrated_log_likelihood(fit: Fit, *, unit: str = "observation") -> xr.DataTree:
    """Return what ArviZ's ``loo`` and ``compare`` need to leave units out as `loo` does.

    The log likelihood in ``fit.idata`` is conditional on ``theta``, so that an observation that is
    left out goes on to speak through its group's mean: of one observation per group, ArviZ's
    ``loo(fit.idata)`` is far too optimistic. Here ``theta`` is integrated out [1]_.

    Parameters
    ----------
    fit : Fit
        Of at most 10 million draws times units.
    unit : {"observation", "arm", "group"}
        What is to be left out.

    Returns
    -------
    xarray.DataTree
        ``posterior`` and ``sample_stats`` of ``fit.idata``, and ``log_likelihood`` with a single
        variable, ``y_integrated`` (chain, draw, unit): the log density of an observation given the
        others of its group, or of all of a group's, without group means. ArviZ's numbers are those
        of `loo` wherever Pareto k is small: `loo` also moves default priors, which depend on the
        data, and integrates anew or fits again where weights fail.

    Raises
    ------
    HierstanError
        For a fit of the prior alone, an impossible `unit`, or too many draws and units.

    References
    ----------
    .. [1] Merkle, Furr and Rabe-Hesketh 2019, doi:10.1007/s11336-019-09679-0.

    Examples
    --------
    >>> import arviz_stats, hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> ours, theirs = hs.loo(fit), arviz_stats.loo(hs.integrated_log_likelihood(fit))
    >>> bool(abs(ours.elpd - theirs.elpd) < 0.1)
    True
    """
    import arviz_base as azb

    check_fit(fit, "integrated_log_likelihood")
    if unit not in units_of(fit.data):
        raise HierstanError(f"unit= is one of {', '.join(units_of(fit.data))}; got {unit!r}.")
    if fit.prior_only:
        raise HierstanError(
            "This fit has prior_only=True and never saw the data, so there is no likelihood to "
            "leave anything out of. Fit again without it."
        )
    draws = fit.posterior
    shape = draws.sizes["chain"], draws.sizes["draw"]
    if not keeps_pointwise(fit.data, shape[0] * shape[1]):
        raise HierstanError(
            "A log likelihood of every observation at every draw would be too large here. hs.loo "
            "needs none: it takes the observations some at a time."
        )
    log_lik = log_lik_of_units(fit, hyper_draws(fit), unit)
    values = np.broadcast_to(log_lik, (shape[0] * shape[1], log_lik.shape[1]))
    made: xr.DataTree = azb.from_dict(
        {"log_likelihood": {NAME: values.reshape(*shape, -1)}},
        coords={"chain": draws["chain"].to_numpy(), "draw": draws["draw"].to_numpy()},
        dims={NAME: [unit]},
    )
    made["log_likelihood"].attrs["conditional_on"] = "the hyperparameters; theta is integrated out"
    for name in ("posterior", "sample_stats"):
        made[name] = fit.sampled[name].to_dataset()
    return made

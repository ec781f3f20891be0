"""What an edited likelihood says about a group's mean: its own log density, differentiated.

The families that hierstan ships have their Fisher information in closed form (see `information`); a
family file that someone edited does not.
"""

from __future__ import annotations

import numpy as np

from hierstan.families.treatment import of_difference
from hierstan.fit.fit import Fit
from hierstan.programs.files import packaged_directory
from hierstan.sampling.inputs import stan_data

MAX_DRAWS = 1000


def numeric(fit: Fit) -> bool:
    """Return whether information has to be observed: an edited likelihood has no closed form.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    bool
    """
    return likelihood_edited(fit)


def likelihood_edited(fit: Fit) -> bool:
    """Return whether the family's file differs from the one that hierstan ships.

    A change of priors or of how groups relate does not count.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    bool
    """
    if not fit.conditional.edited:
        return False
    file = f"families/{fit.family.file or fit.family.name}.stan"
    shipped = (packaged_directory() / file).read_text(encoding="utf-8").splitlines()
    code, origins = fit.conditional.code.splitlines(), fit.conditional.origins
    # what fills a slot has the origin of the line before: only a run's first line is the file's
    return any(
        number > len(shipped) or not _same(line, shipped[number - 1])
        for line, (name, number), before in zip(code, origins, (None, *origins), strict=False)
        if name == file and (name, number) != before
    )


def observed_information(fit: Fit) -> tuple[slice, np.ndarray]:
    """Differentiate ``log_lik`` twice by the group means.

    Central differences, a tenth of each group's posterior standard deviation apart.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    thin : slice
        Which of the draws were used: evenly spaced ones, at most 1,000.
    information : numpy.ndarray
        Minus the second derivative at them, (S, J). At single draws of a likelihood that is not
        log-concave, as with outliers, that is negative; such draws get a thousandth of the mean.
    """
    from hierstan.engines.stanli import Evaluator

    evaluator = Evaluator(
        fit.conditional, stan_data(fit.data, fit.priors, pointwise=True, replicate=False)
    )
    moved = "theta" if "theta" in evaluator.parameters else "mu"
    total = fit.options["chains"] * fit.options["draws"]
    thin = slice(None, None, -(-total // MAX_DRAWS))
    theta = fit.theta(draws=thin)
    names = set(evaluator.parameters) - {"theta"}
    draws = {"theta": theta, **{name: fit.draws(name)[thin] for name in names}}
    step = 0.1 * theta.std(axis=0)
    group = fit.data.cells["group"].to_numpy()

    def curvature(name: str) -> np.ndarray:
        shift = step[0] if name == "mu" else step
        behind, here, ahead = (
            evaluator.written({**draws, name: draws[name] + k * shift}, ["log_lik"])["log_lik"]
            for k in (-1, 0, 1)
        )
        found = np.zeros((len(here), len(step)))
        np.add.at(found.T, group, (2 * here - ahead - behind).T)
        return found / step**2

    information = curvature(moved)
    if fit.family.treatment:  # a baseline moves both arms, an effect the treated one
        information = of_difference(curvature("baseline") - information, information)
    return thin, np.maximum(information, 1e-3 * np.maximum(information.mean(axis=0), 0))


# internals ------------------------------------------------------------------------------------


def _same(line: str, shipped: str) -> bool:
    """Whether a rendered line is the shipped one; lines with slots are filled, so they pass."""
    return "{{ " in shipped or line.strip() == shipped.strip()

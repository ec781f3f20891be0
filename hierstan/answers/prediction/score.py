"""How well data kept aside were predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.prediction import design, seeds
from hierstan.answers.prediction.prediction import Prediction, forecast
from hierstan.data.grouped_data import GroupedData
from hierstan.data.ratings import counted
from hierstan.errors import DataError, HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.new_outcomes import Outcomes
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.text.numbers import figure
from hierstan.text.tables import Page, Printed, percent


@dataclass(frozen=True, eq=False, repr=False)
class Score(Printed):
    """How well data kept aside were predicted.

    Attributes
    ----------
    log_score : float
        Sum over observations of the log of the mean density (probability, for counts) at what was
        observed; higher is better. Each observation is predicted on its own.
    se : float
        Its standard error, ``sqrt(N var)`` of the observations' scores; infinite for a single one.
    mcse : float
        What the finite number of draws adds to that, were the draws independent.
    coverage : float
        Share of the observations inside their prediction interval. Of counts it is on average at
        least `prob`, since they come in steps.
    sharpness : float
        Mean width of these intervals; of two predictions that cover as they should, the sharper one
        is the better [1]_.
    prob : float
        Probability of the intervals.
    table : pandas.DataFrame
        One line per observation, indexed by ``group``: ``y``, ``log_score``, ``lower``, ``upper``,
        ``covered``, ``new``.

    References
    ----------
    .. [1] Gneiting, Balabdaoui and Raftery 2007, doi:10.1111/j.1467-9868.2007.00587.x.
    """

    log_score: float
    se: float
    mcse: float
    coverage: float
    sharpness: float
    prob: float
    table: pd.DataFrame

    def page(self) -> Page:
        """Return what is printed."""
        share = percent(round(self.coverage, 3))
        interval = f"{percent(self.prob)} interval"
        errors = f"se {self.se:.2f}, Monte Carlo se {self.mcse:.2f}"
        facts = (
            ("log score", f"{self.log_score:.2f}, {errors}; higher is better"),
            ("coverage", f"{share} of the observations lie in their {interval}"),
            ("sharpness", f"{figure(self.sharpness)} is the mean width of the intervals"),
        )
        return Page(f"{len(self.table):,} observations kept aside", facts)


def score(prediction: Prediction | Fit, data: GroupedData, *, prob: float | None = None) -> Score:
    """Say how well data kept aside are predicted.

    Parameters
    ----------
    prediction : Fit or Prediction
        A fit of other data, or what ``predict(fit, data)`` made of it.
    data : GroupedData
        The data kept aside, of the same family. Groups may be new to the fit.
    prob : float, optional
        Probability of the intervals; by default the prediction's, or 0.9.

    Returns
    -------
    Score
        The densities are the Stan program's own ``log_lik``.

    Raises
    ------
    DataError
        If the data are of another family, are those of the fit, or the prediction is of other
        observations.

    Examples
    --------
    >>> import hierstan as hs
    >>> players = hs.load_dataset("baseball")
    >>> early = hs.GroupedData.from_counts(players, group="player", successes="hits",
    ...                                    trials="at_bats")
    >>> later = hs.GroupedData.from_counts(players, group="player", successes="later_hits",
    ...                                    trials="later_at_bats")
    >>> fits = hs.fit_poolings(early, seed=1, engine="stanli")
    >>> scores = {name: hs.score(fit, later).log_score for name, fit in fits.items()}
    >>> max(scores, key=scores.get)
    'partial'
    """
    prob = prob if prob is None else check_prob(prob)
    if isinstance(prediction, Fit):
        study = design.plan(prediction, data)
        _check_unseen(prediction, data)
        seed = seeds.seed_of(prediction, study)
        prediction = forecast(prediction, study, prob or 0.9, seed)
    elif not isinstance(prediction, Prediction):
        raise HierstanError(
            f"score takes a fit or a prediction, got {type(prediction).__name__}: score(fit, data)."
        )
    fit = prediction.fit
    check_fit(fit, "score")
    assert isinstance(fit, Fit)
    study = design.plan(fit, data)
    _check_unseen(fit, data)
    design.check_same(study, prediction.design)
    prob = prob or prediction.prob
    lower, upper = prediction.interval(prob)
    y = counted(study.cells["y"].to_numpy(), fit.data.categories)
    log_score, error = np.empty(len(y)), np.empty(len(y))
    outcomes = Outcomes(fit, study.cells, study.new_groups, prediction.seed, known=study.known)
    for part, written in outcomes.evaluate(["log_lik"]):
        log_score[part], error[part] = _log_mean(written["log_lik"])
    table = pd.DataFrame(
        {"y": y, "log_score": log_score, "lower": lower, "upper": upper}, index=study.labels
    )
    table["covered"] = (lower <= y) & (y <= upper)
    table["new"] = study.cells["group"].to_numpy() >= len(fit.data.groups)
    return Score(
        log_score=float(log_score.sum()),
        se=float(np.sqrt(len(y) * log_score.var(ddof=1))) if len(y) > 1 else float("inf"),
        mcse=float(np.sqrt((error**2).sum())),
        coverage=float(table["covered"].mean()),
        sharpness=float((upper - lower).mean()),
        prob=prob,
        table=table,
    )


# internals ------------------------------------------------------------------------------------


def _log_mean(log_lik: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log of the mean density of each observation, and its Monte Carlo error."""
    top = log_lik.max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    density = np.exp(log_lik - top)
    mean = density.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = density.std(axis=0) / mean / np.sqrt(len(density))
        return np.log(mean) + top, np.where(mean > 0, error, np.inf)


def _check_unseen(fit: Fit, data: GroupedData) -> None:
    """Refuse to score the data that were fitted."""
    if data is fit.data or (
        set(data.groups) == set(fit.data.groups) and _content(data).equals(_content(fit.data))
    ):
        raise DataError(
            "These are the data of the fit, and none was kept aside: their score would say how "
            "well the fit describes what it has seen. hs.loo(fit) says how well it predicts "
            "observations like these; score takes data that the fit has not seen."
        )


def _content(data: GroupedData) -> pd.DataFrame:
    """Return what the data hold, whatever the order of groups and rows."""
    codes = np.argsort(np.argsort([repr(label) for label in data.groups]))
    cells = data.cells.assign(group=codes[data.cells["group"]])
    return cells.sort_values(cells.columns.tolist()).reset_index(drop=True)

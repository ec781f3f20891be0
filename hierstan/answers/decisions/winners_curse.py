"""The winner's curse: the best-looking group looks better than it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import Values, values_of
from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.new_outcomes import Outcomes
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.answer import answer, tables_of
from hierstan.text.tables import Page, Printed, called, percent

MAX_REPEATS = 1000
MAX_VALUES = 20_000_000  # repetitions x observations, 160 MB


@dataclass(frozen=True, eq=False, repr=False)
class WinnersCurse(Printed):
    """What becomes of the group that looks best.

    Attributes
    ----------
    raw_winner, shrunken_winner : hashable
        The groups with the best raw estimate and the best posterior mean; the first of several.
    exaggeration : float
        How many times too large the raw winner's lead looks: its raw lead over the reference, in
        the posterior mean of its lead [1]_. Not a number if the model sees no lead at all, and 1 if
        the raw data show none either.
    replicates : float
        Chance that in a repetition of the same size the raw winner again beats the control; without
        a control, that it again looks best of all.
    table : pandas.DataFrame
        One line for each winner, indexed by its label: ``winner`` (raw, shrunken or both), ``n``,
        ``raw``, ``mean`` (of the posterior), ``raw_lead``, ``lead``, ``exaggeration``,
        ``prob_best``, ``replicates``.
    verdict : str
        The same in words.

    References
    ----------
    .. [1] The type M error of Gelman and Carlin 2014, doi:10.1177/1745691614551642.
    """

    raw_winner: Hashable
    shrunken_winner: Hashable
    exaggeration: float
    replicates: float
    table: pd.DataFrame
    verdict: str

    def page(self) -> Page:
        """Return what is printed."""
        return Page(self.verdict, (), tables_of(self.table))


def winners_curse(
    fit: Fit | TwoPartFit,
    control: object = None,
    *,
    scale: str = "response",
    larger_is_better: bool = True,
    seed: int | None = None,
) -> WinnersCurse:
    """Audit the group that looks best: whether it is, by how much, and whether it would be again.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Partial pooling, for an answer: no pooling takes most raw estimates at their word.
    control : group label, optional
        What leads are measured against; by default the average of all groups' posterior means.
    scale : {"response", "link"}
    larger_is_better : bool
    seed : int, optional
        Of the simulated repetitions; by default the fit's.

    Returns
    -------
    WinnersCurse

    Notes
    -----
    Repetitions have the groups' posterior means and the sizes of the data; their outcomes are the
    Stan program's own ``y_rep``, or, of a two-part fit, drawn from its two families. There are
    1,000 of them: fewer if there are fewer draws or more than 20,000 observations, and at least 50.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> audit = hs.winners_curse(fit)
    >>> print(audit.raw_winner, audit.exaggeration > 3)
    A True
    """
    if scale == "mean":
        raise HierstanError("scale= must be response or link here: raw estimates are on these.")
    values = values_of(fit, scale, larger_is_better)
    at = None if control is None else values.position(control)
    sign = 1.0 if larger_is_better else -1.0
    values.require_means()
    raw, size = values.raw()["raw"].to_numpy(), values.raw()["n"].to_numpy()
    means, average = _means(values)
    reference = (average, average) if at is None else (means[at], float(raw[at]))
    again = sign * _repeated(values, fit.seed if seed is None else seed)
    again[:, np.isnan(raw)] = -np.inf  # says nothing, and never wins
    rows = _winners(sign * raw, sign * means, at)
    best = losses.best_shares(values)
    lines = []
    for j, which in rows.items():
        lead = sign * (means[j] - reference[0]) + 0.0  # no minus zero
        raw_lead = sign * (raw[j] - reference[1]) + 0.0
        chance = _chance(again, j, at)
        line = (which, size[j], raw[j], means[j], raw_lead, lead)
        lines.append((*line, _ratio(raw_lead, lead), best[j], chance))
    names = ["winner", "n", "raw", "mean", "raw_lead", "lead", "exaggeration", "prob_best"]
    table = pd.DataFrame(lines, columns=[*names, "replicates"], index=fit.data.groups.take([*rows]))
    table = answer(table, values.group_column)
    labels = table.index.tolist()
    verdict = _verdict(values, table, control)
    first = table.iloc[0]
    return WinnersCurse(
        labels[0], labels[-1], first["exaggeration"], first["replicates"], table, verdict
    )


# internals ------------------------------------------------------------------------------------


def _means(values: Values) -> tuple[np.ndarray, float]:
    """Return the posterior mean of every group, and of their average."""
    means = np.empty(values.sizes[1])
    for part, block in values.by_groups():
        means[part] = block.mean(axis=0)
    return means, float(means.mean())


def _winners(raw: np.ndarray, means: np.ndarray, control: int | None) -> dict[int, str]:
    """Return the positions of the winners among all but the control, the raw one first."""
    if control is not None:
        raw, means = raw.copy(), means.copy()
        raw[control] = means[control] = -np.inf
    first, second = int(np.nanargmax(raw)), int(np.argmax(means))
    return {first: "both"} if first == second else {first: "raw", second: "shrunken"}


def _repeated(values: Values, seed: int) -> np.ndarray:
    """Return the raw estimates of repetitions of the data, (repetitions, J)."""
    if isinstance(values.fit, TwoPartFit):
        raw = _repeated_parts(values.fit, seed)
        with np.errstate(divide="ignore"):  # no revenue at all
            return np.log(raw) if values.scale == "link" else raw
    fit, column = values.fit, "link" if values.scale == "link" else "raw"
    cells = fit.data.cells
    if "weight" in cells and "count" not in cells:  # equal rows need not be equal again
        cells = cells.loc[cells.index.repeat(cells["weight"].astype(int))].assign(weight=1.0)
        cells = cells.reset_index(drop=True)
    which = _which(values.sizes[0], len(cells))
    names = {f"{name}_rep": name for name in fit.family.replicated}
    again = {name: np.empty((len(which), len(cells))) for name in names.values()}
    for part, written in Outcomes(fit, cells, seed=seed, which=which).evaluate(list(names)):
        for name, block in written.items():
            again[names[name]][:, part] = block
    if fit.family.positive:
        again["y"] = np.clip(again["y"], 1e-300, 1e300)
    data_sets = (
        cells.assign(**{name: y[i] for name, y in again.items()}) for i in range(len(which))
    )
    return np.array([_raw(fit.data, repetition)[column] for repetition in data_sets])


def _repeated_parts(fit: TwoPartFit, seed: int) -> np.ndarray:
    """Return the revenue per customer of repetitions with as many customers."""
    rng = np.random.default_rng([seed, 0])
    customers = fit.data.table["customers"].to_numpy()
    rate, amount = fit.draws("rate"), fit.draws("amount")
    family = fit.amount.family
    which = _which(len(rate), len(customers) if family.additive else fit.data.amount.n_rows)
    buyers = rng.binomial(customers, rate[which])
    own = {name: fit.amount.draws(name)[which, None] for name in family.parameters}
    return family.totals(rng, buyers, amount[which], own) / customers


def _which(draws: int, size: int) -> np.ndarray:
    """Return the draws to repeat data of this size at."""
    repeats = min(draws, MAX_REPEATS, max(50, MAX_VALUES // size))
    return np.unique(np.linspace(0, draws - 1, repeats).astype(int))


def _raw(data: GroupedData, cells: pd.DataFrame) -> pd.DataFrame:
    return raw_estimates(dataclasses.replace(data, cells=cells, rows=None))


def _chance(again: np.ndarray, j: int, control: int | None) -> float:
    """Return how often group j beats the control again, or all others; a tie is shared."""
    if control is not None:
        return float(losses.half_ties(again[:, [j]] - again[:, [control]])[0])
    best = again == again.max(axis=1, keepdims=True)
    return float((best[:, j] / best.sum(axis=1)).mean())


def _ratio(raw_lead: float, lead: float) -> float:
    if raw_lead <= 0:  # nothing to exaggerate
        return 1.0
    return float(raw_lead / lead) if lead > 1e-9 * raw_lead else float("nan")


def _verdict(values: Values, table: pd.DataFrame, control: object) -> str:
    labels, first = table.index.tolist(), table.iloc[0]
    over = "the average group" if control is None else called(control)
    by = first["exaggeration"]
    if first["raw_lead"] > 0:
        lead = (
            f"Of its lead over {over}, {values.difference(first['raw_lead'])} in the raw data, the "
            f"model believes {values.difference(first['lead'])}"
        )
        times = f"{by:,.0f}" if by >= 10 else f"{by:.1f}"
        lead += f": it looks {times} times too large." if by > 1.05 else "."
    else:
        lead = f"Yet not even the raw data have it ahead of {over}."
    again = "look best of all" if control is None else f"beat {over}"
    chance = f"In a repetition of the same size it would {again} again with {_odds(first)}."
    if control is not None and not table["lead"].iloc[-1] > 0:
        return (
            f"No group beats the control, {over}, which is the model's choice. Of the others "
            f"{called(labels[0])} looks best. {lead} {chance}"
        )
    if len(table) == 1:
        return f"{called(labels[0])} looks best and is the model's choice too. {lead} {chance}"
    start = f"{called(labels[0])} looks best, but the model's choice is {called(labels[1])}."
    return f"{start} {lead} {chance}"


def _odds(line: pd.Series) -> str:
    return f"probability {percent(round(float(line['replicates']), 2))}"

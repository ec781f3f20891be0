"""Predictions: draws of outcomes not yet seen, and what they come to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.answers.prediction.design import Study, thinned
from hierstan.data.ratings import counted
from hierstan.data.wording import at_mean_of
from hierstan.errors import HierstanWarning
from hierstan.families.treatment import TREATED
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.infinite_means import without_bound
from hierstan.fit.marked import mark_infinite
from hierstan.fit.new_outcomes import Outcomes
from hierstan.fit.two_arms import arm_names, places_of
from hierstan.fit.two_part import TwoPartFit
from hierstan.sampling.tree import coordinate, whole_numbers
from hierstan.text.answer import answer, tables_of
from hierstan.text.tables import Page, Printed, percent, printable
from hierstan.text.wording import pooling_words

if TYPE_CHECKING:
    import xarray as xr

LARGEST = float(np.finfo(float).max)
READ = "Read the interval, and the median: prediction.draws.median(('chain', 'draw'))."


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Printed):
    """Draws of outcomes not yet seen.

    Attributes
    ----------
    draws : xarray.DataArray
        Of outcomes (successes, events, estimates, rows) on the response scale, with dimensions
        ``chain``, ``draw`` and ``group``: one entry per observation, labelled by its group, so that
        a label comes several times where several rows of a group were asked for. Of more than 50
        million values, evenly spaced draws as far as there is room for them.
    summary : pandas.DataFrame
        One line per observation, indexed by ``group``: ``mean``, ``sd``, ``lower``, ``upper``; the
        intervals are equal-tailed.
    design : pandas.DataFrame
        One line per observation: ``se``, ``trials`` or ``exposure`` where the family has one, and
        ``new``, whether the fit has not seen the group.
    prob : float
        Probability of the intervals.
    fit : Fit or TwoPartFit
    seed : int
    """

    draws: xr.DataArray
    summary: pd.DataFrame
    design: pd.DataFrame
    prob: float
    fit: Fit | TwoPartFit
    seed: int

    def interval(self, prob: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of equal-tailed intervals of another probability, (N,) each."""
        if prob == self.prob:
            return self.summary["lower"].to_numpy(), self.summary["upper"].to_numpy()
        values = self.draws.to_numpy().reshape(-1, self.draws.sizes["group"])
        whole = isinstance(self.fit, Fit) and _whole(self.fit)
        ends = np.empty((2, values.shape[1]))
        width = max(1, group_summaries.BLOCK // len(values))
        for start in range(0, values.shape[1], width):
            part = slice(start, start + width)
            ends[:, part] = _summarised(values[:, part], prob, whole)[2:]
        return ends[0], ends[1]

    def page(self) -> Page:
        """Return what is printed."""
        new = int(self.design["new"].sum())
        told = f"{len(self.design):,} observation{'s' * (len(self.design) != 1)}"
        some = "" if new == len(self.design) else f"{new:,} of them "
        told += f", {some}of groups not seen before" if new else ""
        title = f"Prediction of {told}. {self.summary.attrs['caption']}"
        advice = self.summary.attrs.get("advice", "")
        return Page(title, (), tables_of(self.summary), (advice,) if advice else ())


def forecast(fit: Fit, study: Study, prob: float, seed: int) -> Prediction:
    """Draw the outcomes of a study and summarise them; see `hierstan.predict`."""
    import xarray as xr

    N = len(study.cells)
    chains, total = fit.arrays.sizes["chain"], fit.arrays.sizes["draw"]
    places = np.arange(total)[thinned(fit, N)]
    used = np.add.outer(np.arange(chains) * total, places).ravel()
    which = used if len(places) < total else None
    baselines = None if study.baselines is None else places_of(fit, study.baselines)
    outcomes = Outcomes(fit, study.cells, study.new_groups, seed, which, study.known, baselines)
    whole = _whole(fit)
    values = np.empty((outcomes.size, N))
    summary = np.empty((4, N))
    for part, written in outcomes.evaluate(["y_rep"]):
        block = np.clip(written["y_rep"], -LARGEST, LARGEST)
        block = counted(block, fit.data.categories)
        values[:, part] = block
        summary[:, part] = _summarised(block, prob, whole)
    values = whole_numbers(values) if whole else values
    draws = xr.DataArray(
        values.reshape(chains, len(places), N),
        dims=("chain", "draw", "group"),
        coords={
            "chain": fit.arrays.labels("chain").to_numpy(),
            "draw": fit.arrays.labels("draw").to_numpy()[places],
            "group": coordinate(study.labels),
        },
        name="y",
        attrs={"scale": "response"},
    )
    table = pd.DataFrame(
        dict(zip(group_summaries.COLUMNS, summary, strict=True)), index=study.labels
    )
    design = study.design(fit)
    code = study.cells["group"].to_numpy()
    fresh = np.append(without_bound(fit), True)[np.minimum(code, len(fit.data.groups))]
    levels = np.ones(study.new_groups, bool) if study.known is None else study.known.of_new_levels
    fresh_level = np.append(np.zeros(len(fit.data.groups), bool), levels)[code]
    advice = _mark_infinite(fit, table, fresh, baselines is not None, fresh_level)
    own = fit.family.vector_columns(study.cells)  # of rows that have covariates
    where = "" if own else at_mean_of(fit.data.covariates)
    table.attrs["caption"] = (
        f"Prediction of single observations{_arm(fit, study.cells)} by "
        f"{pooling_words(fit.model.name)}{', ' * bool(where)}{where}: mean, standard deviation and "
        f"equal-tailed {percent(prob)} interval"
        + (f", of {len(used):,} of the {chains * total:,} draws" if which is not None else "")
    )
    table.attrs |= {"advice": advice} if advice else {}
    told = answer(table, fit.data.columns.get("group"))
    return Prediction(draws, told, design, prob, fit, seed)


# internals ------------------------------------------------------------------------------------


def _whole(fit: Fit) -> bool:
    """Whether outcomes are whole numbers: counts, or ratings whose scores are."""
    return fit.family.columns["y"] == "int" and bool((fit.data.scores % 1 == 0).all())


def _arm(fit: Fit, cells: pd.DataFrame) -> str:
    """Return which arm is predicted, in words, where there are two and it is one of them."""
    arms = set(cells[TREATED].astype(bool)) if fit.family.treatment else set()
    if len(arms) != 1:
        return ""
    names = arm_names(fit)
    return f" in the arm {printable(names[arms.pop()])}"


def _mark_infinite(
    fit: Fit, table: pd.DataFrame, new: np.ndarray, known: bool, fresh_level: np.ndarray
) -> str:
    """Replace what grows with the number of draws; `new` groups have no data to bound them.

    Returns what to say of it, if anything.
    """
    said: dict[str, dict[str, None]] = {}
    for which, unseen in ((~new, False), (new & ~fresh_level, True), (new & fresh_level, True)):
        if not which.any():
            continue
        guilty = mark_infinite(
            fit,
            table,
            which,
            of="outcome",
            new_group=unseen,
            baseline_known=known,
            levels_known=not fresh_level[which].any(),
        )
        if guilty:
            said.setdefault(str(guilty), {})["new" if unseen else "known"] = None
        if guilty.mean:
            warnings.warn(
                f"The expected outcome of {'a new' if unseen else 'a known'} group does not exist "
                f"or is infinite under the prior {guilty.mean}, so mean and sd are given as inf. "
                "The intervals and quantiles of .draws hold. For a mean, use a prior with a "
                "lighter tail, such as a HalfNormal with a scale below 1 or a Uniform.",
                HierstanWarning,
                stacklevel=4,
            )
    if not said:
        return ""
    words = [f"Of {' and '.join(groups)} groups {why}." for why, groups in said.items()]
    return " ".join([*words, READ])


def _summarised(block: np.ndarray, prob: float, whole: bool) -> np.ndarray:
    """Return mean, sd, lower and upper; the interval of counts ends at counts."""
    four = group_summaries.summarise(block, prob)
    if whole:
        tail = (1 - prob) / 2
        four[2:] = np.quantile(block, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return four

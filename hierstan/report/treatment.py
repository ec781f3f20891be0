"""What a treatment changes in each group and overall, as a section of a page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.answers.differences.absolute import AbsoluteEffects, absolute_effects
from hierstan.data.measures import MEASURES
from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit
from hierstan.fit.two_arms import arm_names
from hierstan.plots import plot_arms
from hierstan.plots.groups import group_word
from hierstan.report.checks import Section
from hierstan.report.choice import POINTS
from hierstan.report.differences import FEW
from hierstan.report.grid import MOST_ROWS, Grid, estimates, labels, text_of
from hierstan.report.pictures import picture
from hierstan.report.subject import Subject
from hierstan.text.numbers import share
from hierstan.text.tables import numbers, percent, places

ARMS = ("control", "treated")
EFFECT = ("mean", "lower", "upper")


def treatment(subject: Subject) -> Section | None:
    """Say what the treatment changes on the outcome's own scale, if there is one."""
    fit = subject.main
    if not isinstance(fit, Fit) or not isinstance(fit.family, Treatment) or fit.prior_only:
        return None
    found = absolute_effects(fit, prob=subject.prob)
    J = len(fit.data.groups)
    alt = (
        f"A dot for each of {J:,} groups: its treated arm's mean against its control arm's, beside "
        "the line of no effect. The table has the numbers."
    )
    return {
        "verdict": found.verdict,
        "grid": _grid(found, fit.family),
        "picture": picture(lambda: plot_arms(fit, prob=subject.prob), alt, J),
    }


# internals ------------------------------------------------------------------------------------


def _grid(found: AbsoluteEffects, family: Treatment) -> Grid:
    """Tabulate both arms' means and their difference, also overall and in a group not yet seen."""
    fit, shown = found.fit, found.table[:MOST_ROWS]
    new = found.new_group.rename(columns={"median": "mean"})
    lines = pd.concat([shown, found.overall.to_frame().T, new]).infer_objects()
    shares = family.base.shares
    lines[[*ARMS, *EFFECT]] *= 100 if shares else 1
    decimals = max(places(np.ptp(lines[["lower", "upper"]].to_numpy(float), axis=1) / 3.3) - 1, 0)
    names = [text_of(name) for name in arm_names(fit)]
    difference = f"{MEASURES[found.measure].words}{f' ({POINTS})' * shares}"
    columns = {
        f"{name}{' (%)' * shares}": lines[arm] for arm, name in zip(ARMS, names, strict=True)
    }
    texts = {name: numbers(values.to_numpy(float), decimals) for name, values in columns.items()}
    texts[difference] = estimates(lines, decimals)
    texts["probability that it is above 0"] = [share(p) for p in lines["prob_positive"]]
    group = group_word(fit.data)
    heads = [
        *labels(fit.data.groups)[:MOST_ROWS],
        "all, as in the data",
        f"a new {group} (medians)",
    ]
    header = (text_of(fit.data.grouped_by), *texts)
    caption = f"Both arms and their difference: means and {percent(found.prob)} intervals"
    more = f"The first {MOST_ROWS} of {len(found.table):,} groups." * (
        len(shown) < len(found.table)
    )
    rows = tuple(zip(heads, *texts.values(), strict=True))
    return Grid("treatment", caption, header, rows, more=more, whole=len(rows) <= FEW)

"""Two arms in every group, from a long table: rows, counts or means of each group and arm.

A group and an arm together are taken as a group is by the other constructors, and reduced as these
do, inside the frame's own engine. Then the arms of a group are put side by side.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from hierstan.data import intake, published, ratings
from hierstan.data.frames import Table, open_table
from hierstan.data.intake import ARM, MAX_ROWS, Intake
from hierstan.data.labels import fetch_cells, fetch_rows
from hierstan.data.structure import Group, column_roles, columns
from hierstan.errors import DataError, warn
from hierstan.families import FAMILIES, accepted_by, default
from hierstan.families.treatment import TREATED, Treatment
from hierstan.text.wording import did_you_mean, listed, show

KINDS = {  # what is given of each row: the constructor that takes such rows, and what may be given
    "outcome": ("rows", ("outcome", "weights")),
    "successes": ("counts", ("successes", "trials")),
    "events": ("events", ("events", "exposure")),
    "mean": ("means", ("mean", "sd", "n")),
}
UNADJUSTED = {  # constructors without covariates of rows: why, and what to do instead
    "means": "they say nothing of single rows. Give the rows (outcome=), or means of groups whose "
    "rows are alike; numbers that describe groups go to predictors=.",
}
OPTIONAL = ("exposure", "weights")


def take(
    frame: object,
    group: Group,
    arm: Hashable,
    control: Hashable,
    given: Mapping[str, Hashable | None],
    family: str | None,
    predictors: object,
    factors: object,
    order: object = None,
    adjust: object = (),
) -> Intake:
    """Check and take the outcomes of two arms in every group; see `GroupedData.from_trial`."""
    constructor, own = _kind(given)
    if "weights" in own:
        chosen = default("rows") if family is None else family
        constructor, family, own = intake.kind_of_rows(chosen, own["outcome"], own["weights"])
    if constructor == "rows" and family in accepted_by("ratings"):
        constructor, own = "ratings", {"rating": own["outcome"]}
    elif order is not None:
        raise DataError(
            f"order= is of ratings, given as outcome= with family={default('ratings')!r}."
        )
    described = column_roles(group, predictors, factors)
    sites = {role: name for role, name in described.items() if role.split()[0] == "group"}
    several = {f"group {number}": name for number, name in enumerate(sites.values(), 1)}
    rows_of = {**own, **column_roles((), (), (), adjust)}
    del rows_of["group"]
    if adjust and constructor in UNADJUSTED:
        raise DataError(f"adjust= does not go with {constructor}: {UNADJUSTED[constructor]}")
    table = open_table(frame, {**several, ARM: arm, **rows_of})
    taken = _taken(table, constructor, family, order)
    groups, rows, about = _groups(open_table(frame, described), taken.n_rows)
    folded = _folded(taken, table, control, groups)
    names = columns(about)
    first = {"group": names.pop("group"), "arm": arm, **rows_of}
    return intake.described(folded._replace(columns={**first, **names}), about, rows)


# internals --------------------------------------------------------------------------------------


def _kind(given: Mapping[str, Hashable | None]) -> tuple[str, dict[str, Hashable]]:
    """Return the constructor that takes what is given, and the columns."""
    own = {role: name for role, name in given.items() if name is not None}
    for constructor, roles in KINDS.values():
        needed = [role for role in roles if role not in OPTIONAL]
        if set(needed) <= set(own) <= set(roles):
            return constructor, own
    got = " and ".join(f"{role}=" for role in own) or "none of them"
    raise DataError(
        "from_trial takes outcome= (rows, perhaps with weights=), successes= and trials=, events= "
        f"(perhaps with exposure=), or mean=, sd= and n= of each group and arm; got {got}."
    )


def _taken(table: Table, constructor: str, family: str | None, order: object) -> Intake:
    if constructor == "means":
        family = default(constructor) if family is None else family
        return published.take_means(table, family, describe=False)
    family = intake.valid(default(constructor) if family is None else family, constructor)
    if constructor == "ratings":
        return ratings.take(table, order, describe=False)
    if constructor in ("rows", "weighted"):
        return intake.take_rows(table, constructor, family, describe=False)
    return intake.take(table, constructor, family, describe=False)


def _groups(table: Table, n_rows: int) -> tuple[pd.Index, pd.DataFrame | None, Table]:
    """Return the groups without their arms, all rows if they are few, and their table."""
    if table.in_pandas or n_rows <= MAX_ROWS:
        return *fetch_rows(table), table
    groups, _ = fetch_cells(table, table.frame.select(*table.keys).unique())
    return groups, None, table


def _folded(taken: Intake, table: Table, control: Hashable, groups: pd.Index) -> Intake:
    """Return groups with two arms, from groups that are the combinations of both."""
    arms = taken.groups.get_level_values(-1)
    _check_arms(arms.unique().tolist(), table, control)
    assert isinstance(taken.groups, pd.MultiIndex)
    site = groups.get_indexer(taken.groups.droplevel(len(table.keys) - 1))
    treated = np.asarray(arms != control, dtype=float)
    _tell_single_arms(site, treated, groups, table)
    family = FAMILIES[f"{taken.family}_treatment"]
    assert isinstance(family, Treatment)

    def recoded(part: pd.DataFrame) -> pd.DataFrame:
        code = part["group"].to_numpy()
        return family.typed(part.assign(**{"group": site[code], TREATED: treated[code]}))

    rows = None if taken.rows is None else recoded(taken.rows)
    cells = rows
    if cells is None or taken.rows is not taken.cells:
        cells = recoded(taken.cells).sort_values(["group", TREATED], ignore_index=True)
    return taken._replace(
        family=family.name,
        groups=groups,
        cells=cells,
        rows=rows,
        measure=family.measure,
        arms=_named(arms.unique(), control),
    )


def _named(arms: pd.Index, control: Hashable) -> pd.Index:
    """Return the labels of both arms, the control's first."""
    return arms.take(np.argsort(arms != control, kind="stable"))


def _check_arms(arms: list[Hashable], table: Table, control: Hashable) -> None:
    name = table.names[ARM]
    if control not in arms:
        raise DataError(
            f"Column {name!r} (arm) does not hold the control {show(control)}."
            f"{did_you_mean(control, arms)} Its arms are {listed(arms, 8)}."
        )
    others = [arm for arm in arms if arm != control]
    if not others:
        raise DataError(
            f"Column {name!r} (arm) holds {show(control)} alone, so that there is no treatment to "
            "compare with it. Give the rows of both arms; of a single arm, from_rows, from_counts "
            "and from_events take the same columns."
        )
    if len(others) > 1:
        raise DataError(
            f"Column {name!r} (arm) holds {len(arms)} arms, {listed(arms, 8)}, and from_trial "
            "compares two. Take each treatment against the control in a fit of its own, such as "
            f"frame[frame[{name!r}].isin([{control!r}, {others[0]!r}])]."
        )


def _tell_single_arms(
    site: np.ndarray, treated: np.ndarray, groups: pd.Index, table: Table
) -> None:
    """Say which groups have one arm only: they tell of baselines, and of no effect."""
    has = np.zeros((len(groups), 2), dtype=bool)
    has[site, treated.astype(int)] = True
    name = table.names[ARM]
    if not has.all(axis=1).any():
        raise DataError(
            f"No group has both arms of column {name!r}, so that effects cannot be told from the "
            "differences between groups. Are group= and arm= the right columns?"
        )
    single = np.flatnonzero(~has.all(axis=1))
    if single.size:
        count = f"{single.size:,} of {len(groups):,} groups {'has' if single.size == 1 else 'have'}"
        labels = groups.take(single).tolist()
        warn(
            f"{count} rows of one arm only: {listed(labels, 5)}. They are kept for what they say "
            "of the baselines; their effects are what the population says."
        )

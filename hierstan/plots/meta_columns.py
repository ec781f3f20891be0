"""What stands beside the studies of a meta-analysis: their raw numbers, and what was found."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.answers.differences.heterogeneity import heterogeneity
from hierstan.data.own_estimates import raw_arms
from hierstan.errors import DataError, HierstanError
from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit
from hierstan.plots import style
from hierstan.plots.groups import arm_headers, on_scale, summaries
from hierstan.text.tables import percent
from hierstan.text.wording import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS = (  # header (the user's words, if empty), what happened, and of how much
    ("", "successes", "trials"),
    ("", "events", "exposure"),
    ("treatment", "events_treatment", "total_treatment"),
    ("control", "events_control", "total_control"),
    ("treatment", "events_treatment", "exposure_treatment"),
    ("control", "events_control", "exposure_control"),
)
MOMENTS = ("mean", "sd", "n")
MISSING = "–"  # of an arm that a group lacks


def raw_columns(fit: Fit, given: object = None) -> dict[str, list[str]]:
    """Return the raw numbers of the groups as columns of texts.

    Parameters
    ----------
    fit : Fit
    given : pandas.DataFrame or mapping of str to sequence, optional
        The user's own columns, by group label or in the order of the data. Without any: events out
        of how many, or mean, sd and n, where the data have them.
    """
    if given is not None:
        return _given(fit, given)
    frame = fit.data.to_frame()
    if len(frame) != len(fit.data.groups):
        return {}
    found = {}
    for header, part, whole in PAIRS:
        if {part, whole} <= set(frame):
            pairs = zip(_texts(frame[part]), _texts(frame[whole]), strict=True)
            texts = [f"{a}/{b}" if a != MISSING else "" for a, b in pairs]
            found[arm_headers(fit)[header] if header else _both(fit)] = texts
    if not found and isinstance(fit.family, Treatment):
        return _arms(fit, fit.family, frame)
    if not found and set(MOMENTS) <= set(frame) and "se" not in frame:
        found = {name: _texts(frame[name]) for name in MOMENTS}
    return found


def by_line(columns: Mapping[str, list[str]], lines: pd.DataFrame) -> dict[str, list[str]]:
    """Return columns in the order of lines: their ``place`` in the data, missing for headings."""
    places = lines["place"].fillna(-1).astype(int)
    return {name: [column[j] if j >= 0 else "" for j in places] for name, column in columns.items()}


def subgroups(fit: Fit, factor: Hashable, prob: float, scale: str) -> pd.DataFrame:
    """Return the mean of the studies of each level: `summaries` of ``mu`` plus what it adds."""
    draws = fit.draws("mu")[:, None] + fit.draws(f"u_{factor}")
    return summaries(fit, on_scale(fit, draws, scale), prob)


def heterogeneity_words(fit: Fit, prob: float, new: str) -> list[str]:
    """Say how much the studies differ: tau, I2 and the prediction interval, given as a text."""
    if not fit.model.has_population:
        return []
    table = heterogeneity(fit, prob=prob).table

    def told(name: str, times: float, decimals: int, unit: str = "") -> str:
        line = times * table.loc[name, ["mean", "lower", "upper"]].to_numpy(float)
        mean, low, high = (style.number(value, decimals) for value in line)
        return f"{mean}{unit} [{low}, {high}]"

    words = f"Differences between studies: tau {told('tau', 1, 2)}, I² {told('i2', 100, 0, '%')}"
    return [f"{words}, {percent(prob)} prediction interval {new}"]


def write_sides(ax: Axes, favours: tuple[str, str], no_effect: float | None) -> None:
    """Write whom either side of no effect favours, between the axis and its name."""
    if isinstance(favours, str) or len(favours) != 2 or no_effect is None:
        why = "a pair of texts, for the left and the right" if no_effect is not None else ""
        raise HierstanError(
            f"favours= must be {why}; got {favours!r}."
            if why
            else "favours= needs a scale with a place of no effect, such as differences or ratios."
        )
    left, right = (style.literal(text) for text in favours)
    place = ax.get_xaxis_transform()
    options: dict[str, Any] = {"fontsize": style.SMALL_SIZE, "va": "top"}
    x = float(np.clip(no_effect, *ax.get_xlim()))
    for text, across, ha in ((f"← favours {left}", -6, "right"), (f"favours {right} →", 6, "left")):
        ax.annotate(
            text, (x, 0), (across, -20), xycoords=place, textcoords="offset points", ha=ha,
            annotation_clip=False, color=style.QUIET, **options,
        )  # fmt: skip
    ax.xaxis.labelpad = 16


# internals ------------------------------------------------------------------------------------


def _both(fit: Fit) -> str:
    """Return the names of the columns of events and of what they are out of; rows are counted."""
    columns = fit.data.columns
    roles = (fit.family.role_of(column, columns) for column in ("y", fit.family.per))
    return "/".join(style.literal(columns[role]) if role else "n" for role in roles)


def _arms(fit: Fit, family: Treatment, frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return mean, sd (where they are what the data are reduced to) and n of both arms."""
    raw, found = raw_arms(fit.data), {}
    for arm in ("treatment", "control"):
        sd = f"sd_{arm}" in frame
        parts = [
            _texts(raw[arm]["raw"]),
            _texts(frame[f"sd_{arm}"]) if sd else [],
            _texts(raw[arm]["n"]),
        ]
        template = "{} ({}), {}" if sd else "{}, {}"
        name = f"{arm_headers(fit)[arm]}: {family.base.mean_words}{' (sd)' if sd else ''}, n"
        lines = zip(*filter(None, parts), strict=True)
        known = raw[arm]["n"].to_numpy() > 0
        found[name] = [
            template.format(*line) if there else ""
            for line, there in zip(lines, known, strict=True)
        ]
    return found


def _given(fit: Fit, given: object) -> dict[str, list[str]]:
    """Return the user's columns in the order of the groups."""
    if not isinstance(given, (pd.DataFrame, Mapping)):
        raise HierstanError(
            "columns= takes a DataFrame or a mapping of headers to columns, got "
            f"{type(given).__name__}."
        )
    groups = fit.data.groups
    found = {}
    for header in list(given):
        column = given[header]
        if isinstance(column, pd.Series) and set(groups) <= set(column.index):
            column = column.loc[groups]
        values = list(column)
        if len(values) != len(groups):
            raise DataError(
                f"columns= has {len(values)} values of {header!r} for {len(groups)} groups. Index "
                f"it by the groups, {listed(groups.tolist())}, or give one for each."
            )
        found[style.literal(header)] = _texts(pd.Series(values, dtype=object))
    return found


def _texts(values: pd.Series) -> list[str]:
    """Return numbers as they are, whole ones without decimals, others to three digits."""
    return [
        style.literal(value)
        if isinstance(value, str)
        else style.number(value, 0)
        if float(value) == np.round(float(value))
        else style.number(value)
        for value in values.tolist()
    ]

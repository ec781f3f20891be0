"""The thirteen trials of the BCG vaccine, and what describes them."""

from __future__ import annotations

import functools

import pandas as pd

import hierstan as hs

ARMS = {
    "events_treatment": "vaccinated_positive", "total_treatment": "vaccinated_total",
    "events_control": "control_positive", "total_control": "control_total",
}  # fmt: skip


@functools.cache
def trials() -> pd.DataFrame:
    """The thirteen trials of the BCG vaccine: log relative risks, and where and when they were."""
    table = hs.load_dataset("bcg")
    effects = hs.effect_sizes(table, group="trial", measure="RR", **ARMS).reset_index(drop=True)
    return effects.assign(trial=table["trial"], latitude=table["ablat"], year=table["year"])


def bcg(predictors: list[str], frame: pd.DataFrame | None = None) -> hs.GroupedData:
    return hs.GroupedData.from_estimates(
        trials() if frame is None else frame,
        group="trial", estimate="estimate", se="se", predictors=predictors,
    )  # fmt: skip

"""Data in a line: what they are, and where they came from."""

from __future__ import annotations

import pandas as pd

from hierstan.data.intake import Intake
from hierstan.data.measures import MEASURES
from hierstan.families import FAMILIES

MOST = 4  # covariates that a line names


def at_mean_of(covariates: pd.DataFrame | None) -> str:
    """Say where the covariates of rows stand in what is told of groups; nothing without any."""
    if covariates is None:
        return ""
    lines = covariates[["level", "mean"]].head(MOST).itertuples()
    told = [f"{name} {mean:.3g}" if level is None else f"{name} {mean:.0%}"
            for name, level, mean in lines]  # fmt: skip
    more = [f"{len(covariates) - MOST} more"] * (len(covariates) > MOST)
    return f"at the mean of the covariates ({', '.join(told + more)})"


def of_data(data: Intake) -> list[str]:
    """Return the parts of that line: family and size, and how estimates came about."""
    counts = {"group": len(data.groups), "row": data.n_rows}
    told = [f"{count:,} {noun}{'s' * (count != 1)}" for noun, count in counts.items()]
    known = MEASURES[data.measure] if data.measure and "estimate" in data.columns else None
    words = [known.link_words] if known else []
    words += ["se from intervals"] * ("lower" in data.columns)
    if FAMILIES[data.family].correlated:
        study = f" within {data.columns['within']}" if "within" in data.columns else ""
        words += [f"errors correlated{study}"]
    return [f"{data.family}: {', '.join(told)}", *[", ".join(words)] * bool(words)]

"""Events in the two arms of each of several trials."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.binomial import log_odds, rates, raw_rates
from hierstan.families.family import Family, Role
from hierstan.priors import Prior


class TwoArm(Family):
    """Binomial arms, whose log-odds differ by ``theta``; each trial has a baseline of its own."""

    name = "two_arm"
    link = "identity"
    words = "events in two arms: binomial, group means are log odds ratios"
    columns = {"y": "int", "trials": "int", "control": "int", "control_trials": "int"}
    takes = {
        "arms": {
            "events_treatment": Role("y", "count"),
            "total_treatment": Role("trials", "trials"),
            "events_control": Role("control", "count"),
            "total_control": Role("control_trials", "trials"),
        }
    }
    once = "Add up the rows of each trial, or name its comparisons apart."
    observation = {"y": 1, "trials": 1, "control": 1, "control_trials": 1}
    size = ("trials", "control_trials")
    unit = "people"
    predicted_size = "trials"  # of the treatment arm
    parameters = ("intercept", "slope", "spread")
    lower_bounds = {"intercept": -np.inf, "slope": -np.inf}
    replicated = ("y", "control")
    natural = True
    mean_words = "log odds ratio"
    contrast = True
    bounded = True
    numeric_information = True

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log odds ratio of all treatment arms to all control arms; scale 1."""
        return log_odds(cells) - log_odds(_control(cells)), 1.0

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the priors of how baselines go with the log odds ratios, and differ."""
        return {
            "intercept": priors.Normal(log_odds(_control(cells)), 1.5 * scale),
            "slope": priors.Normal(0, scale),
            "spread": priors.HalfNormal(scale),
        }

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return events, totals and rates of both arms."""
        names = ("events_treatment", "total_treatment", "rate_treatment")
        other = ("events_control", "total_control", "rate_control")
        return rates(cells, J, *names).join(rates(_control(cells), J, *other))

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Log odds ratios of two arms; their variance is the sum of the arms'."""
        columns = ["n", "link", "link_se"]
        n, treated, se = raw_rates(cells, J)[columns].to_numpy().T
        m, untreated, other_se = raw_rates(_control(cells), J)[columns].to_numpy().T
        link, both = treated - untreated, np.hypot(se, other_se)
        return raw.table(n + m, link, both, link, both)


def _control(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the control arms as binomial cells."""
    names = {"control": "y", "control_trials": "trials"}
    return cells.drop(columns=["y", "trials"]).rename(columns=names)

"""Which groups are highest and which to choose, as tables of a page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.answers.decisions.best_group import prob_best
from hierstan.answers.decisions.ranks import rank_intervals
from hierstan.report.grid import (
    Grid,
    estimates,
    group_grid,
    in_units,
    percent_sign,
    text_of,
    what,
)
from hierstan.report.subject import Whole
from hierstan.text.numbers import share
from hierstan.text.tables import numbers, percent, places, plain_labels

POINTS = "percentage points"
CHANCES = {
    "prob_better": "probability of being better",
    "prob_best": "probability of being best",
}


def rank_grid(fit: Whole, prob: float) -> Grid:
    """Tabulate which groups are highest and lowest, the highest first."""
    ranks = rank_intervals(fit, prob=prob)
    order = np.argsort(ranks["mean"].to_numpy(), kind="stable")
    ranks = ranks.iloc[order]
    shares = {
        "probability of being highest": prob_best(fit),
        "probability of being lowest": prob_best(fit, larger_is_better=False),
    }
    columns = {
        "expected rank": numbers(ranks["mean"].to_numpy(), 1),
        f"{percent(prob)} interval": [
            f"{low:,.0f} to {high:,.0f}"
            for low, high in zip(ranks["lower"], ranks["upper"], strict=True)
        ],
        **{name: [share(float(p)) for p in chance.iloc[order]] for name, chance in shares.items()},
    }
    caption = f"Ranks by {what(fit)}, 1 being the highest"
    return group_grid(fit.data, "ranks", caption, columns, order=ranks.index.tolist())


def decision_grid(fit: Whole, table: pd.DataFrame, control: object) -> Grid:
    """Tabulate what choosing each group would mean, the best choice first."""
    table = in_units(fit, table)
    decimals = max(places((table["upper"] - table["lower"]).to_numpy() / 3.3) - 1, 0)
    points = percent_sign(fit, POINTS)
    columns = {
        "verdict": [str(value) for value in table["verdict"]],
        f"mean{percent_sign(fit)}": estimates(table, decimals),
    }
    chances = {name: [share(float(p)) for p in table[name]] for name in CHANCES if name in table}
    if "uplift" in table:
        own = table.index.tolist().index(control)
        apart = estimates(table, decimals, "uplift", "uplift_lower", "uplift_upper")
        apart[own] = chances["prob_better"][own] = "–"
        against = text_of(plain_labels(table.index)[own], 40)
        columns[f"difference from {against}{points}"] = apart
    columns |= {CHANCES[name]: cells for name, cells in chances.items()}
    columns[f"expected loss{points}"] = numbers(table["expected_loss"].to_numpy(), decimals + 1)
    caption = f"{what(fit)}: {table.attrs['caption']}"
    return group_grid(
        fit.data,
        "decisions",
        caption[:1].upper() + caption[1:],
        columns,
        words=["verdict"],
        order=table.index.tolist(),
        whole=True,
    )

"""Batting averages: predict the rest of the season from the first 45 at-bats.

Efron and Morris (1975) took 18 baseball players after their first 45 at-bats of 1970, and what
they hit in the rest of the season. Hits are binomial; the group means are log-odds.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

players = hs.load_dataset("baseball")
data = hs.GroupedData.from_counts(players, group="player", successes="hits", trials="at_bats")

fits = hs.fit_poolings(data, seed=1)
print(hs.compare(fits))

# The rest of the season was not used above. How well did each pooling foresee it? The log score is
# the log probability that a pooling gave to what happened: higher is better.
later = players.set_index("player")
later_rate = later["later_hits"] / later["later_at_bats"]
scores = {}
for name, fit in fits.items():
    rates = fit.family.to_response(fit.draws("theta"))
    chance = binom.pmf(later["later_hits"].to_numpy(), later["later_at_bats"].to_numpy(), rates)
    error = rates.mean(axis=0) - later_rate
    scores[name] = {
        "RMSE of the average": np.sqrt((error**2).mean()),
        "log score": np.log(chance.mean(axis=0)).sum(),
    }
table = pd.DataFrame(scores).T.rename_axis("pooling")
print("\nThe rest of the season, which no model has seen")
print(table.round({"RMSE of the average": 4, "log score": 1}).to_string())

best = table["log score"].idxmax()
print(f"\nThe rest of the season was foreseen best by {best} pooling.")

means = hs.shrinkage(fits["partial"])[["raw", "mean", "lower", "upper"]]
print("\nFirst 45 at-bats, partial pooling, and the rest of the season")
print(means.assign(later=later_rate).round(3).to_string())

print()
print(hs.heterogeneity(fits["partial"]))

hs.plot_shrinkage(fits["partial"]).savefig(output / "batting_averages.png", dpi=100)

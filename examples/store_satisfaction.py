"""Store satisfaction: 50 branches, some with 5 customers asked and some with 120.

The scores are simulated from the partial pooling model (see ``hs.load_dataset``), so that each
branch's true mean is known and the three poolings can be marked.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

branches = hs.load_dataset("store_satisfaction")
truth = branches.set_index("branch")["true_mean"]
data = hs.GroupedData.from_estimates(branches, group="branch", estimate="score", se="se")

fits = hs.fit_poolings(data, seed=1)
print(hs.compare(fits))

# How far is each pooling from the truth, and how often do its 90% intervals hold it?
marks = {}
for name, fit in fits.items():
    means = hs.group_means(fit, prob=0.9)
    error = means["mean"] - truth
    marks[name] = {
        "RMSE": np.sqrt((error**2).mean()),
        "largest error": error.abs().max(),
        "intervals that hold": truth.between(means["lower"], means["upper"]).mean(),
    }
table = pd.DataFrame(marks).T.rename_axis("pooling")
print("\nAgainst the true means (in points of satisfaction)")
print(table.round(2).to_string())

best = table["RMSE"].idxmin()
print(f"\nSmallest error: {best} pooling.")

# Two branches with seven customers each lead the raw league table; none are drawn in further.
known = branches.set_index("branch")
ranked = hs.shrinkage(fits["partial"]).assign(asked=known["n"], truth=known["true_mean"])
ranked = ranked.sort_values("raw", ascending=False)
print("\nThe top and the bottom of the raw league table")
columns = ["asked", "raw", "mean", "truth", "pooling_factor"]
print(pd.concat([ranked.head(4), ranked.tail(4)])[columns].round(2).to_string())

print()
print(hs.heterogeneity(fits["partial"]))

hs.plot_shrinkage(fits["partial"]).savefig(output / "store_satisfaction.png", dpi=100)

"""Which pooling? Four data sets, and the verdict that is right for each.

1. Groups that are truly identical: complete pooling is adequate.
2. Groups that have nothing to do with each other: no pooling is as good.
3. Groups that differ, but belong together: partial pooling.
4. Too little data to say.

The first two are simulated below. The third, the store branches, is simulated too, from the partial
pooling model; the fourth is real.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)


def judge(title, data):
    """Fit the three poolings, print the comparison, and return it."""
    print(f"\n{title}\n{'=' * len(title)}\n")
    comparison = hs.compare(hs.fit_poolings(data, seed=1))
    print(comparison)
    print(f"\npreferred: {comparison.preferred}\n")
    return comparison


rng = np.random.RandomState(1)  # NumPy keeps this generator's stream for good

# 400 filling machines on one supply: every machine's true mean is 500 ml, and what the spot checks
# show beyond that is measurement error. Of forty such machines the data could not yet tell.
machines = pd.DataFrame({"machine": np.arange(1, 401), "se": rng.uniform(0.5, 2.0, 400).round(2)})
machines["fill"] = rng.normal(500, machines["se"]).round(2)
identical = hs.GroupedData.from_estimates(machines, group="machine", estimate="fill", se="se")
judge("1. Four hundred machines that fill alike", identical)

# Weights of ten parcels each of eight kinds of goods, from pens to tables. Nothing is to be
# learned about tables from pens.
kinds = ["pens", "mugs", "books", "lamps", "kettles", "chairs", "bicycles", "tables"]
weight = np.array([0.1, 0.4, 0.9, 2.5, 1.4, 6.0, 14.0, 30.0])
parcels = pd.DataFrame({"goods": np.repeat(kinds, 10), "kg": np.repeat(weight, 10)})
parcels["kg"] = (parcels["kg"] * np.exp(rng.normal(0, 0.15, len(parcels)))).round(3)
unrelated = hs.GroupedData.from_rows(parcels, group="goods", outcome="kg", family="lognormal")
judge("2. Eight kinds of goods with nothing in common", unrelated)

branches = hs.load_dataset("store_satisfaction")
between = hs.GroupedData.from_estimates(branches, group="branch", estimate="score", se="se")
stores = judge("3. Fifty branches of one chain of stores", between)

schools = hs.load_dataset("eight_schools")
few = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
judge("4. Eight schools", few)

hs.plot_compare(stores).savefig(output / "which_pooling.png", dpi=100)

"""Stores in regions: sales per visitor, where some regions are richer and some stores are new.

Every store lies in a region. A new store with a dozen receipts should be judged by its region
first, and by the whole chain only as far as regions are alike. Everything is simulated, so that the
truth is known.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

REGIONS = ["coast", "north", "south", "hills", "lakes", "plain", "delta", "city"]
rng = np.random.RandomState(7)  # NumPy keeps this generator's stream for good
of_region = dict(zip(REGIONS, rng.normal(0, 3.0, len(REGIONS)), strict=True))
stores = pd.DataFrame({"region": np.repeat(REGIONS, 5)})
stores["store"] = [f"{name} {number}" for name in REGIONS for number in range(1, 6)]
stores["truth"] = 20 + stores["region"].map(of_region) + rng.normal(0, 1.5, len(stores))
stores["receipts"] = rng.choice([4, 8, 20, 60], len(stores))
sales = stores.loc[stores.index.repeat(stores["receipts"])].reset_index(drop=True)
sales["spent"] = sales["truth"] + rng.normal(0, 6, len(sales))

data = hs.GroupedData.from_rows(sales, group="store", outcome="spent", factors=["region"])
fits = {
    "stores in regions": hs.PartialPooling().fit(data, seed=1),
    "one chain": hs.PartialPooling(factors=[]).fit(data, seed=1),
}
structured = fits["stores in regions"]
print(hs.components(structured))

print("\nDo regions matter? Leaving out one store at a time")
print(hs.compare(fits, unit="group"))

print("\nRoot mean squared error of the stores' means, in money")
few = (stores["receipts"] <= 8).to_numpy()
errors = {"raw means": hs.shrinkage(structured)["raw"]}
errors |= {name: hs.group_means(fit)["mean"] for name, fit in fits.items()}
for name, means in errors.items():
    off = means.to_numpy() - stores["truth"].to_numpy()
    few_off, all_off = (np.sqrt(np.mean(part**2)) for part in (off[few], off))
    print(f"{name:18s} all stores {all_off:.2f}, those with at most 8 receipts {few_off:.2f}")

print("\nA store that is to open: what a receipt there will be worth on average")
new = pd.DataFrame({"store": ["on the coast", "abroad"], "region": ["coast", "abroad"]})
shop = hs.poststratify(structured, new.assign(weight=1), by="store", seed=1)
print(shop.round(1).to_string())

hs.plot_shrinkage(structured, by="region").savefig(output / "stores_in_regions.png", dpi=70)

"""Conversions by age, channel and device: 60 segments, some of them nearly empty.

Each segment is a combination of an age, a channel and a device. One population for all of them
pulls a segment with three visitors to everyone's mean; here it is pulled to what its age, its
channel and its device say. The segments' means are then weighted by a census, whose segments were
not all seen. Everything is simulated, so that the truth is known.
"""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

LEVELS = {
    "age": ["18-24", "25-34", "35-49", "50-64", "65+"],
    "channel": ["search", "social", "email", "direct", "partner", "print"],
    "device": ["phone", "desktop"],
}
SDS = {"age": 0.6, "channel": 0.4, "device": 0.1}

rng = np.random.RandomState(12)  # NumPy keeps this generator's stream for good
census = pd.DataFrame(itertools.product(*LEVELS.values()), columns=list(LEVELS))
logit = -2.2 + rng.normal(0, 0.15, len(census))
for name, labels in LEVELS.items():
    adds = dict(zip(labels, rng.normal(0, SDS[name], len(labels)), strict=True))
    logit += census[name].map(adds)
census["truth"] = 1 / (1 + np.exp(-logit))
census["weight"] = rng.randint(100, 2000, len(census))
census["visitors"] = rng.choice([0, 3, 20, 200, 1000], len(census), p=[0.1, 0.2, 0.3, 0.2, 0.2])
census["sold"] = rng.binomial(census["visitors"], census["truth"])
seen = census[census["visitors"] > 0].reset_index(drop=True)

data = hs.GroupedData.from_counts(seen, group=list(LEVELS), successes="sold", trials="visitors")
fits = {
    "one population": hs.PartialPooling(factors=[]).fit(data, seed=1),
    "age, channel, device": hs.PartialPooling().fit(data, seed=1),
}
structured = fits["age, channel, device"]
print(hs.components(structured))

print(
    f"\nThe {len(seen)} segments against the truth, and the {(seen['visitors'] <= 20).sum()} small"
)
small = (seen["visitors"] <= 20).to_numpy()
for name, fit in fits.items():
    means = hs.group_means(fit)
    off = 100 * (means["mean"].to_numpy() - seen["truth"].to_numpy())
    inside = means["lower"].to_numpy() <= seen["truth"]
    inside &= seen["truth"] <= means["upper"].to_numpy()
    print(
        f"{name:21s} error in points: {np.sqrt(np.mean(off**2)):.1f}, of the small ones "
        f"{np.sqrt(np.mean(off[small] ** 2)):.1f}; the truth is in the 90% interval of "
        f"{inside.mean():.0%}"
    )

print(f"\nOf the whole population, {len(census) - len(seen)} segments of which were never seen")
truth = np.average(census["truth"], weights=census["weight"])
whole = hs.poststratify(structured, census, seed=1)
raw = seen["sold"].sum() / seen["visitors"].sum()
print(f"truth {truth:.4f}; all visitors together {raw:.4f}; post-stratified:")
print(whole.round(4).to_string())

print("\nBy age")
by_age = hs.poststratify(structured, census, by="age", seed=1)
by_age["truth"] = [
    np.average(part["truth"], weights=part["weight"])
    for _, part in census.groupby("age", sort=False)
]
print(by_age.round(4).to_string())

hs.plot_components(structured).savefig(output / "crossed_segments.png", dpi=80)

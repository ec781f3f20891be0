"""Ratings: stores with scores from 1 to 5, most of them with a dozen answers.

A mean of a dozen scores is mostly noise, and a mean of many can hide that customers are divided:
half of them delighted, half of them gone. Everything is simulated, so that the truth is known.
"""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

rng = np.random.RandomState(12)  # NumPy keeps this generator's stream for good
cut = np.array([-2.6, -1.5, -0.2, 1.6])  # between neighbouring scores, on the log-odds scale
names = [f"store {number:02d}" for number in range(1, 25)]
answers = dict(zip(names, rng.choice([8, 12, 12, 15], len(names)), strict=True))
answers |= {"store 05": 150, "store 17": 140, "store 20": 160}
place = dict(zip(names, rng.normal(0.3, 0.6, len(names)), strict=True))
divided = [0.30, 0.06, 0.04, 0.10, 0.50]  # of store 17: delighted, or gone

rows, truth = [], {}
for name in names:
    above = 1 / (1 + np.exp(cut - place[name]))
    shares = -np.diff(np.concatenate([[1.0], above, [0.0]]))
    shares = np.array(divided) if name == "store 17" else shares
    truth[name] = shares @ np.arange(1, 6)
    rows += [(name, score) for score in rng.choice(np.arange(1, 6), answers[name], p=shares)]
survey = pd.DataFrame(rows, columns=["store", "stars"])

data = hs.GroupedData.from_ratings(survey, group="store", rating="stars", order=range(1, 6))
fit = hs.PartialPooling().fit(data, seed=1)
print(hs.heterogeneity(fit))

# The top of the raw league table, and what is left of it.
table = hs.shrinkage(fit).assign(truth=pd.Series(truth))
league = table.sort_values("raw", ascending=False)
print("\nThe top and the bottom of the raw league table (mean scores)")
columns = ["n", "raw", "mean", "lower", "upper", "truth"]
print(pd.concat([league.head(3), league.tail(3)])[columns].round(2).to_string())
few = table["n"] <= 15
for name in ("raw", "mean"):
    error = np.sqrt(((table[name] - table["truth"])[few] ** 2).mean())
    print(f"{name:5s} of the stores with a dozen answers: root mean squared error {error:.2f}")

print("\nIn the terms of surveys: the share of the top-2 box, and of every score")
surveyed = hs.ratings(fit, top=2).loc[["store 05", "store 17", "store 20"]]
print(surveyed.drop(columns="sd").round(2).to_string())

# What means hide: whether the customers of a store are of one mind.
print("\nWhat the model misses:")
for message in hs.check(fit).messages:
    print(textwrap.fill(message, 88))
raw = data.to_frame().astype({"n": int}).sort_values("sd", ascending=False)
large = raw[raw["n"] > 100].assign(model=table["mean"])
print("\nThe stores with many answers, the most divided first; and the model's mean score")
print(large.round(2).to_string())

hs.plot_shrinkage(fit).savefig(output / "ratings.png", dpi=70)

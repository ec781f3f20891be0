"""An A/B test in thirty countries: launch everywhere, nowhere, or in some of them.

A shop tries a new checkout page in each of its thirty countries. The large ones have tens of
thousands of users in each arm, the small ones a few hundred, whose raw lifts are mostly noise. The
effect differs between countries, and in some it is a loss. Everything here is simulated, so that
the truth is known.
"""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

COUNTRIES = 30
names = [f"country {number:02d}" for number in range(1, COUNTRIES + 1)]
arms = {"group": "country", "arm": "arm", "control": "old"}
quick = {"engine": "stanli", "chains": 2, "warmup": 400, "draws": 400, "progress": False}


def draw_countries(rng):
    """Draw each country's log-odds with the old page, and what the new one adds to it."""
    baseline = rng.normal(-2.9, 0.4, COUNTRIES)
    effect = rng.normal(0.06, 0.12, COUNTRIES) - 0.1 * (baseline + 2.9)
    return baseline, effect


def say(words):
    print(textwrap.fill(words, 88))


def rate(log_odds):
    return 1 / (1 + np.exp(-log_odds))


def experiment(rng, baseline, effect):
    """Return a long table: country, arm, users, conversions."""
    users = np.exp(rng.uniform(np.log(300), np.log(30_000), COUNTRIES)).astype(int)
    parts = []
    for arm, log_odds in (("old", baseline), ("new", baseline + effect)):
        conversions = rng.binomial(users, rate(log_odds))
        parts.append(
            pd.DataFrame({"country": names, "arm": arm, "users": users, "conversions": conversions})
        )
    return pd.concat(parts, ignore_index=True)


def grouped(table):
    return hs.GroupedData.from_trial(table, successes="conversions", trials="users", **arms)


# ---- 1. Conversions: where does the new page sell more? ------------------------------------------

rng = np.random.RandomState(7)  # NumPy keeps this generator's stream for good
baseline, effect = draw_countries(rng)
table = experiment(rng, baseline, effect)
truth = pd.Series(rate(baseline + effect) - rate(baseline), index=names)
print("The long table, its first and last lines")
print(pd.concat([table.head(2), table.tail(2)]).to_string(index=False))

fits = hs.fit_poolings(grouped(table), seed=1)
together = fits["partial"]
print("\nHow different are the countries?")
say(hs.heterogeneity(together).verdict)

found = hs.absolute_effects(together)  # risk differences, in shares of users
board = found.table.assign(launch=np.where(found.table["mean"] > 0, "yes", "no"))
order = board.sort_values("weight", ascending=False)
words = ["control", "treated", "mean", "lower", "upper", "prob_positive", "launch"]
print("\nUplift of the conversion rate (0.01 is one percentage point): the four largest countries")
print("and the four smallest. Launch: wherever the new page is expected to sell more")
print(order.iloc[[*range(4), *range(-4, 0)]][words].round(4).to_string())

# What a launch brings: more conversions of 1,000 users, spread over the countries as they are.
draws = found.draws.to_numpy().reshape(-1, COUNTRIES) * board["weight"].to_numpy()
plans = {
    "nowhere": np.zeros(COUNTRIES, dtype=bool),
    "everywhere": np.ones(COUNTRIES, dtype=bool),
    "where it sells more": (board["launch"] == "yes").to_numpy(),
}
rows = {}
for plan, launched in plans.items():
    gain = 1000 * draws[:, launched].sum(axis=1)
    rows[plan] = {
        "countries": launched.sum(),
        "gain": gain.mean(),
        "lower": np.quantile(gain, 0.05),
        "upper": np.quantile(gain, 0.95),
        "truly": 1000 * (truth * board["weight"])[launched].sum(),
    }
print("\nRoll out …: what 1,000 users bring in more conversions, with 90% intervals")
print(pd.DataFrame(rows).T.round(2).astype({"countries": int}).to_string())
say(found.verdict)

# ---- 2. What the raw lifts of the smallest countries were worth ----------------------------------

counts = grouped(table).to_frame()
raw = counts["rate_treatment"] - counts["rate_control"]
small = order.index[-10:]
lifts = pd.DataFrame({"users": counts["total_control"], "raw": raw, "pooled": board["mean"]})
lifts["truth"] = truth
print("\nThe ten smallest countries: lifts in percentage points")
shown = lifts.loc[small].assign(**(100 * lifts.loc[small, ["raw", "pooled", "truth"]]))
print(shown.round(2).to_string())
error = (lifts[["raw", "pooled"]].sub(truth, axis=0).loc[small] ** 2).mean() ** 0.5
print(
    f"Root mean squared error: {100 * error['raw']:.2f} points raw, {100 * error['pooled']:.2f} "
    "partially pooled."
)

# ---- 3. Revenue: one row for each order ----------------------------------------------------------

orders = table.loc[table.index.repeat(table["conversions"]), ["country", "arm"]]
price = np.tile(rng.normal(3.4, 0.3, COUNTRIES), 2)
more = np.where(table["arm"] == "new", 0.03, 0.0)
orders["revenue"] = np.exp(rng.normal((price + more)[orders.index], 0.9))
spent = hs.GroupedData.from_trial(orders, outcome="revenue", family="lognormal", **arms)
revenue = hs.PartialPooling().fit(spent, seed=1)
print(f"\n{len(orders):,} orders: what one is worth with the new page against the old")
ratio = hs.absolute_effects(revenue, measure="ROM")
say(ratio.verdict)

# Both together: revenue per user is the conversion rate times the worth of an order.
sold, worth = (
    {"old": fit.draws("baseline"), "new": fit.draws("baseline") + fit.draws("theta")}
    for fit in (together, revenue)
)
half = revenue.draws("sigma")[:, None] ** 2 / 2
per_user = {arm: rate(sold[arm]) * np.exp(worth[arm] + half) for arm in ("old", "new")}
gain = per_user["new"] - per_user["old"]
chance = (gain > 0).mean(axis=0)
print(
    f"Revenue per user rises with a probability above 90% in {(chance > 0.9).sum()} of "
    f"{COUNTRIES} countries, and falls so in {(chance < 0.1).sum()}."
)

# ---- 4. Ten experiments like it: whose launches are right? ---------------------------------------

REPEATS = 10
models = {
    "all together": hs.CompletePooling,
    "each alone": hs.NoPooling,
    "partial pooling": hs.PartialPooling,
}
launches = []
rng = np.random.RandomState(3)
for repeat in range(REPEATS):
    baseline, effect = draw_countries(rng)
    data = grouped(experiment(rng, baseline, effect))
    gained = rate(baseline + effect) - rate(baseline)
    for name, model in models.items():
        means = hs.group_means(model().fit(data, seed=repeat + 1, **quick))["mean"].to_numpy()
        launched = means > 0
        launches.append(
            {
                "rule": name,
                "right": ((gained > 0) == launched).mean(),
                "gained": gained[launched].sum() / gained[gained > 0].sum(),
                "error": np.sqrt(np.mean((means - effect) ** 2)),
            }
        )
share = pd.DataFrame(launches).groupby("rule", sort=False).mean()
told = pd.DataFrame(
    {
        "right launches": share["right"].map("{:.0%}".format),
        "of the gain there is": share["gained"].map("{:.0%}".format),
        "error of log odds ratios": share["error"].map("{:.3f}".format),
    }
)
print(f"\n{REPEATS} experiments like it, {REPEATS * COUNTRIES} decisions to launch or not")
print(told.to_string())
print(f"Most launches right: {share['right'].idxmax()}.")

# ---- Pictures ------------------------------------------------------------------------------------

hs.plot_uplift(together, caring=0.002).savefig(output / "experiment_uplift.png", dpi=70)
hs.plot_arms(together).savefig(output / "experiment_arms.png", dpi=80)

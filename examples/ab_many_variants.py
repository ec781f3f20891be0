"""Forty variants of a page: find the one that sells best, and stop when it is known well enough.

A new shop tries forty versions of its landing page. Some have had thousands of visitors, some a few
dozen, and one a single visitor, who bought. Judged on its own, that one has a conversion rate of
100%. Everything here is simulated, so that the truth is known.
"""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

VARIANTS = 40
LUCKY = "v08"  # has a single visitor
names = [f"v{number:02d}" for number in range(1, VARIANTS + 1)]
quick = {"engine": "stanli", "chains": 2, "warmup": 400, "draws": 500, "progress": False}


def draw_rates(rng, how_many, spread=0.25):
    """Draw true conversion rates: around 5%, with a standard deviation of `spread` in log-odds."""
    return 1 / (1 + np.exp(-rng.normal(-2.94, spread, how_many)))


def count(rng, rates, visitors):
    """Let visitors come and buy or not."""
    return rng.binomial(visitors, rates)


def grouped(sold, visitors, labels):
    """Return counts as hierstan takes them."""
    frame = pd.DataFrame({"variant": labels, "sold": sold, "visitors": visitors})
    return hs.GroupedData.from_counts(frame, group="variant", successes="sold", trials="visitors")


# ---- 1. One experiment -----------------------------------------------------------------------

rng = np.random.RandomState(4)  # NumPy keeps this generator's stream for good
visitors = np.exp(rng.uniform(np.log(50), np.log(5000), VARIANTS)).astype(int)
visitors[names.index(LUCKY)] = 1
truth = draw_rates(rng, VARIANTS)
sold = count(rng, truth, visitors)
sold[names.index(LUCKY)] = 1  # the single visitor buys
data = grouped(sold, visitors, names)

alone = hs.NoPooling().fit(data, seed=1)
together = hs.PartialPooling().fit(data, seed=1)

print("Each variant on its own (no pooling), the best three by expected loss")
words = ["n", "raw", "mean", "lower", "upper", "prob_best", "expected_loss"]
print(hs.decision_table(alone)[words].head(3).round(3).to_string())

print("\nAll variants together (partial pooling), v01 is the page in use")
board = hs.decision_table(together, control="v01", caring=0.002)
words = [
    "n",
    "raw",
    "mean",
    "lower",
    "upper",
    "prob_better",
    "prob_best",
    "expected_loss",
    "verdict",
]
print(board[words].head(6).round(3).to_string())
print(f"… {LUCKY} is in place {board.index.get_loc(LUCKY) + 1} of {VARIANTS}")
print(f"{(board['verdict'] == 'behind').sum()} variants are behind for good: drop them.")
print(board.attrs["advice"])

winner = hs.decision_table(alone).index[0]
print(f"\nOn its own data the winner is {winner}, together it is {board.index[0]}.")
print(f"The truly best is {names[truth.argmax()]}.")
print()
print(hs.winners_curse(together))


# ---- 2. A hundred experiments: who finds the best, and how much do they overstate it? ---------
#
# Of hundreds of short runs one or other is not to be relied on by itself; their average is.

warnings.filterwarnings("ignore", "Do not rely on this yet", hs.HierstanWarning)

REPEATS = 100
rules = ["raw rate", "raw rate, 100+ visitors", "partial pooling"]
found = {rule: [] for rule in rules}
rng = np.random.RandomState(2)
for repeat in range(REPEATS):
    visitors = np.exp(rng.uniform(np.log(50), np.log(5000), VARIANTS)).astype(int)
    visitors[rng.randint(VARIANTS)] = 1
    rates = draw_rates(rng, VARIANTS)
    sold = count(rng, rates, visitors)
    raw = sold / visitors
    fit = hs.PartialPooling().fit(grouped(sold, visitors, names), seed=repeat + 1, **quick)
    claims = {
        "raw rate": raw,
        "raw rate, 100+ visitors": np.where(visitors >= 100, raw, 0.0),
        "partial pooling": hs.group_means(fit)["mean"].to_numpy(),
    }
    for rule, claim in claims.items():
        chosen = claim.argmax()
        found[rule].append(
            {
                "best": rates[chosen] == rates.max(),
                "top5": (rates > rates[chosen]).sum() < 5,
                "regret": rates.max() - rates[chosen],
                "claimed": claim[chosen] - rates.mean(),
                "true": rates[chosen] - rates.mean(),
            }
        )
rows = {}
for rule, choices in found.items():
    mean = pd.DataFrame(choices).mean()
    rows[rule] = {
        "finds the best": f"{mean['best']:.0%}",
        "one of the best 5": f"{mean['top5']:.0%}",
        "regret (points)": f"{100 * mean['regret']:.2f}",
        "lead it claims": f"{100 * mean['claimed']:.2f}",
        "lead it has": f"{100 * mean['true']:.2f}",
        "exaggeration": f"{mean['claimed'] / mean['true']:.1f}",
    }
print(f"\n{REPEATS} experiments like it: what comes of choosing the variant with the highest …")
print(pd.DataFrame(rows).T.to_string())
print("(Leads are over the average variant, regrets against the best one, in percentage points.)")


# ---- 3. When to stop ---------------------------------------------------------------------------
#
# Eight variants, 400 more visitors each per week, at most ten weeks. Every Monday one looks: is the
# expected loss of the best choice below what one cares for, 0.2 points? Then stop. The other rule
# is the usual one: stop when the leader beats the runner-up with p < 0.05.

CARING, WEEKS, ARMS, WEEKLY, TRIES = 0.002, 10, 8, 400, 30
labels = names[:ARMS]


def expected_loss_rule(sold, visitors):
    """Return whether to stop, and the choice: by expected loss under partial pooling."""
    fit = hs.PartialPooling().fit(grouped(sold, visitors, labels), seed=1, **quick)
    loss = hs.expected_loss(fit).to_numpy()
    return loss.min() <= CARING, loss.argmin()


def significance_rule(sold, visitors):
    """Return whether to stop, and the choice: by a z-test of the two highest rates."""
    raw = sold / visitors
    second, first = np.argsort(raw)[-2:]
    pooled = (sold[first] + sold[second]) / (visitors[first] + visitors[second])
    se = np.sqrt(pooled * (1 - pooled) * (1 / visitors[first] + 1 / visitors[second]))
    return raw[first] - raw[second] > 1.96 * se, first


def run_until(rule, rates, rng):
    """Run one experiment; return the weeks it took, whether it was stopped, and the regret."""
    sold = np.zeros(ARMS, dtype=int)
    for week in range(1, WEEKS + 1):
        sold += count(rng, rates, WEEKLY)
        stop, chosen = rule(sold, np.full(ARMS, week * WEEKLY))
        if stop:
            break
    return {"weeks": week, "stopped": stop, "regret": rates.max() - rates[chosen]}


worlds = {"variants differ (sd 0.25)": 0.25, "variants hardly differ (sd 0.03)": 0.03}
stopping = {"expected loss < 0.2 points": expected_loss_rule, "p < 0.05": significance_rule}
rows = {}
for world, spread in worlds.items():
    for name, rule in stopping.items():
        runs = []
        for attempt in range(TRIES):
            rng = np.random.RandomState(attempt)  # the same rates and visitors for both rules
            runs.append(run_until(rule, draw_rates(rng, ARMS, spread), rng))
        table = pd.DataFrame(runs)
        rows[world, name] = {
            "stopped early": f"{table['stopped'].mean():.0%}",
            "weeks": f"{table['weeks'].mean():.1f}",
            "regret (points)": f"{100 * table['regret'].mean():.2f}",
            "regret > 0.2": f"{(table['regret'] > CARING).mean():.0%}",
        }
print(f"\nWhen to stop: {TRIES} experiments of up to {WEEKS} weeks in each of two worlds")
print(pd.DataFrame(rows).T.rename_axis(["world", "stop when"]).to_string())
print("Expected loss may be looked at every week: the regret stays below what one cares for on")
print("average. Nor does it drag on when variants hardly differ: any of them will do then.")


# ---- 4. Days that vary by more than chance ------------------------------------------------------
#
# An A/A test: two variants that are the same page. Their rate changes from day to day, for both
# alike in the long run, and each day of each variant is a row.

TESTS, DAYS, SESSIONS = 20, 14, 500


def same_page(rng):
    """Return the days of two variants with the same rate of 5% on average, from 2% to 9%."""
    sold = rng.binomial(SESSIONS, rng.beta(3, 57, 2 * DAYS))
    frame = pd.DataFrame({"variant": np.repeat(["A", "B"], DAYS), "sold": sold})
    return frame.assign(sessions=SESSIONS)


# every binomial fit would say of itself what hs.check says below
warnings.filterwarnings("ignore", "Do not rely on this: the model misses", hs.HierstanWarning)
columns = {"group": "variant", "successes": "sold", "trials": "sessions"}
best = {"binomial": [], "beta_binomial": []}
rng = np.random.RandomState(5)
for test in range(TESTS):
    days = same_page(rng)
    for family, values in best.items():
        data_of_days = hs.GroupedData.from_counts(days, **columns, family=family)
        fit = hs.PartialPooling().fit(data_of_days, seed=test + 1, **quick)
        values.append(hs.prob_best(fit).max())
        if test == 0:
            print(f"\nhs.check of an A/A test as {family}:")
            print("\n".join(hs.check(fit).messages) or "nothing is missed")
print(
    f"\n{TESTS} A/A tests of {DAYS} days: one variant is best with more than 95%, by chance in 10%"
)
for family, values in best.items():
    print(f"{family:<14}{(np.array(values) > 0.95).mean():>5.0%}")


# ---- A picture ---------------------------------------------------------------------------------

means = hs.group_means(together).sort_values("mean")
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 6.5), layout="constrained")
place = np.arange(VARIANTS)
own = data.to_frame().loc[means.index]
left.hlines(place, 100 * means["lower"], 100 * means["upper"], color="#004488", lw=1.5)
left.plot(
    100 * means["mean"], place, "o", color="#004488", ms=4, label="partial pooling, 90% interval"
)
shown = np.minimum(own["rate"], 0.13)
left.scatter(
    100 * shown, place, s=5 + own["trials"] / 60, facecolors="none", edgecolors="#BB5566",
    label="raw rate, area by visitors",
)  # fmt: skip
left.plot(
    100 * truth[[names.index(label) for label in means.index]], place, "|", color="k", label="truth"
)
at = list(means.index).index(LUCKY)
left.annotate(
    "1 visitor: 100% →",
    (12.9, at),
    xytext=(-6, 7),
    textcoords="offset points",
    ha="right",
    fontsize=8,
)
left.set(
    yticks=place, xlim=(1, 13.2), xlabel="conversion rate, %", title="One experiment, 40 variants"
)
left.set_yticklabels(means.index, fontsize=6.5)
left.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.02))
edges = np.linspace(-2, 10, 25)
for rule, color in zip(rules[1:], ["#BB5566", "#004488"], strict=True):
    choices = pd.DataFrame(found[rule])
    right.hist(
        100 * (choices["claimed"] - choices["true"]), edges, color=color, alpha=0.6,
        label=f"highest {rule}" if rule.startswith("raw") else rule,
    )  # fmt: skip
right.axvline(0, color="k", lw=1)
right.set(
    xlabel="claimed minus true rate of the chosen variant, points",
    ylabel=f"experiments of {REPEATS}",
    title="The winner's curse",
)
right.legend(fontsize=8)
fig.savefig(output / "ab_many_variants.png", dpi=90)

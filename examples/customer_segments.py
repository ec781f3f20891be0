"""Customer segments: who buys, how much they spend, and which segment earns the most per customer.

A shop has twelve segments of customers, the largest with 20,000 of them and the smallest with 15,
one of whom spent a fortune. Among the 40 students nobody has bought anything yet. Everything here
is simulated, so that the truth is known.
"""

import textwrap
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

SIZES = {
    "app": 20_000, "search": 12_000, "newsletter": 6_500, "social ads": 4_200,
    "marketplace": 2_500, "loyalty club": 1_400, "referrals": 700, "gift cards": 350,
    "trade fair": 160, "wholesale": 70, "students": 40, "press": 15,
}  # fmt: skip
SIGMA = 0.9  # of the logarithm of what buyers spend
columns = {"group": "segment", "outcome": "spent"}


def draw_segments(rng):
    """Draw true rates (around 5%) and true mean amounts (around 45)."""
    rates = 1 / (1 + np.exp(-rng.normal(-2.9, 0.5, len(SIZES))))
    return rates, 45 * np.exp(rng.normal(0, 0.35, len(SIZES)))


def draw_customers(rng, rates, amounts):
    """Let every customer buy or not, and spend a lognormal amount: one row per customer."""
    segment = np.repeat(list(SIZES), list(SIZES.values()))
    rate, amount = np.repeat([rates, amounts], list(SIZES.values()), axis=1)
    bought = rng.random_sample(len(segment)) < rate
    spent = amount * np.exp(rng.normal(-(SIGMA**2) / 2, SIGMA, len(segment)))
    return pd.DataFrame({"segment": segment, "spent": np.where(bought, spent.round(2), 0.0)})


rng = np.random.RandomState(7)  # NumPy keeps this generator's stream for good
rates, amounts = draw_segments(rng)
truth = pd.Series(rates * amounts, index=list(SIZES))
customers = draw_customers(rng, rates, amounts)
customers.loc[customers["segment"].isin(["press", "students"]), "spent"] = 0.0
customers.loc[customers["segment"].eq("press").idxmax(), "spent"] = 1290.0


# ---- 1. Who buys, and how much -----------------------------------------------------------------

fits = {
    family: hs.TwoPart(amounts=family).fit(customers, **columns, seed=1)
    for family in ("gamma", "lognormal")
}
print("Who buys: each segment's own rate and what partial pooling makes of it, the smallest ones")
rates_table = hs.shrinkage(fits["lognormal"].rate)
print(rates_table[["n", "raw", "mean", "lower", "upper", "pooling_factor"]].tail(6))

left_out = {name: hs.loo(fit.amount, unit="group", progress=False) for name, fit in fits.items()}
difference = left_out["lognormal"].elpd_i - left_out["gamma"].elpd_i
se = difference.std() * np.sqrt(len(difference))
print("\nHow much: gamma or lognormal? Both give the density of the same amounts in the same unit,")
print(
    f"so that they can be compared: of {len(difference)} segments left out one at a time, lognormal"
)
print(
    f"foresees {(difference > 0).sum()} better, with {difference.sum():.0f} ± {se:.0f} more elpd."
)


# ---- 2. Revenue per customer -------------------------------------------------------------------

fit = fits["lognormal"]
alone = hs.TwoPart("lognormal", pooling=hs.NoPooling).fit(customers, **columns, seed=1)
means = fit.means()
print()
print(fit)

unpooled = alone.means()["mean"].where(means["buyers"] > 0)
estimates = {"raw": means["raw"], "no": unpooled, "partial": means["mean"]}
print("\nRevenue per customer: raw, under no and under partial pooling, and the truth")
print("(Where nobody bought, no pooling knows nothing of how much.)")
table = means[["customers", "buyers"]].assign(**estimates, truth=truth)
print(table.assign(lower=means["lower"], upper=means["upper"]).round(2).to_string(na_rep="–"))
print("\nRoot mean squared error against the truth")
for name, estimate in estimates.items():
    print(f"{name:8}{np.sqrt(((estimate - truth) ** 2).mean()):6.2f}")


# ---- 3. Twelve shops like it: no accidents arranged ---------------------------------------------

quick = {"engine": "stanli", "chains": 1, "warmup": 300, "draws": 500, "progress": False}
found = []
rng = np.random.RandomState(1)
for repeat in range(12):
    rates_again, amounts_again = draw_segments(rng)
    true = pd.Series(rates_again * amounts_again, index=list(SIZES))
    frame = draw_customers(rng, rates_again, amounts_again)
    for name, pooling in {"no": hs.NoPooling, "partial": hs.PartialPooling}.items():
        model = hs.TwoPart("lognormal", pooling=pooling)
        marks = model.fit(frame, **columns, seed=repeat + 1, **quick).means()
        if name == "no":
            found.append(("raw", np.abs(marks["raw"] - true).mean(), np.nan, np.nan))
        inside = true.between(marks["lower"], marks["upper"]).mean()
        marks = marks[marks["buyers"] > 0]
        error, width = np.abs(marks["mean"] - true), marks["upper"] - marks["lower"]
        found.append((f"{name} pooling", error.mean(), inside, width.mean()))
names = ["estimate", "mean error", "90% intervals that hold", "their width"]
print("\nTwelve shops like it, without accidents (means over segments where somebody bought)")
summary = pd.DataFrame(found, columns=names).groupby("estimate", sort=False).mean()
print(summary.round(2).to_string(na_rep="–"))


# ---- 4. Which segment to address -----------------------------------------------------------------

print("\nWhich segment earns the most per customer?")
board = hs.decision_table(fit, caring=0.25)
shown = ["n", "raw", "mean", "lower", "upper", "prob_best", "expected_loss", "verdict"]
print(board[shown].head(6).round(3).to_string())
print(board.attrs["advice"])
print(f"The truly best is {truth.idxmax()}.")
print()
print(hs.winners_curse(fit))


# ---- 5. An expectation that does not exist -------------------------------------------------------
#
# The half-Cauchy is a popular prior for tau. On a log scale it makes the mean amount of a segment
# without buyers infinite: a mean over draws would be a number, and another one with more draws.

heavy = hs.TwoPart("lognormal", priors={"amount": {"tau": hs.HalfCauchy(1)}})
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    infinite = heavy.fit(customers, **columns, seed=1).means()
print("\nWith tau ~ HalfCauchy(1) for the amounts")
print(infinite.loc[["students", "press"], ["raw", "mean", "sd", "lower", "upper"]])
print(textwrap.fill(f"{caught[0].category.__name__}: {caught[0].message}", 88))


# ---- A picture ---------------------------------------------------------------------------------

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
place = np.arange(len(means))[::-1]
left.hlines(place, means["lower"], means["upper"], color="#004488", lw=1.5)
left.plot(means["mean"], place, "o", color="#004488", ms=5, label="partial pooling, 90% interval")
left.plot(means["raw"].clip(upper=16.3), place, "o", mfc="none", color="#BB5566", label="raw")
left.plot(truth, place, "|", color="k", ms=10, label="truth")
left.annotate(
    "raw: 86 →", (16, 0), xytext=(0, 7), textcoords="offset points", ha="right", fontsize=8
)
left.set(yticks=place, xlim=(-0.4, 16.8), xlabel="revenue per customer", title="Per customer")
left.set_yticklabels(f"{label} ({size:,})" for label, size in SIZES.items())
left.legend(fontsize=8, loc="center right")

paid = customers["spent"].where(customers["spent"] > 0).groupby(customers["segment"]).mean()
raw_rate = (100 * means["buyers"] / means["customers"]).clip(lower=0.5)
raw_amount = paid.reindex(means.index).clip(upper=190)
right.scatter(raw_rate, raw_amount, facecolors="none", edgecolors="#BB5566", label="raw")
right.plot(
    100 * means["rate"], means["amount"], "o", color="#004488", ms=5, label="partial pooling"
)
for label, line in means.iterrows():
    end = (100 * line["rate"], line["amount"])
    start = (raw_rate[label], raw_amount[label])
    if np.isfinite(start[1]):
        right.plot(*zip(start, end, strict=True), color="grey", lw=0.8, zorder=0)
    if line["customers"] < 500:
        right.annotate(label, end, xytext=(5, 4), textcoords="offset points", fontsize=8)
right.annotate(
    "1,290 ↑", (raw_rate["press"], 190), xytext=(6, -3), textcoords="offset points", fontsize=8
)
grid = np.geomspace(0.9, 14, 100)
for revenue in (0.5, 1, 2, 4, 8):
    right.plot(grid, 100 * revenue / grid, color="lightgrey", lw=0.8, zorder=-1)
    at = (13, 100 * revenue / 13) if revenue > 2 else (100 * revenue / 22, 22)
    right.annotate(f"{revenue}", at, fontsize=8, color="grey", ha="right")
right.set(
    xscale="log", yscale="log", xlim=(0.9, 14), ylim=(20, 210),
    xlabel="customers who buy, %", ylabel="mean amount of those who do",
    title="Its two parts (grey: product)",
)  # fmt: skip
right.xaxis.set(minor_locator=NullLocator(), major_formatter="{x:g}", ticks=[1, 2, 5, 10])
right.yaxis.set(minor_locator=NullLocator(), major_formatter="{x:g}", ticks=[20, 50, 100, 200])
right.legend(fontsize=8, loc="upper left")
fig.savefig(output / "customer_segments.png", dpi=90)

"""A multi-site trial: where does the BCG vaccine protect, and what would the next trial find.

Thirteen trials of the vaccine against tuberculosis, collected by Colditz and others (1994), are the
meta-analysts' textbook case. Their results differ more than chance allows, and latitude explains
most of that. The first half takes each trial as an estimate with a standard error, the second half
its two arms as they were counted. Beside them stand hospitals with patients one by one, simulated.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

trials = hs.load_dataset("bcg")
arms = {
    "events_treatment": "vaccinated_positive",
    "total_treatment": "vaccinated_total",
    "events_control": "control_positive",
    "total_control": "control_total",
}

# Risk ratios and odds ratios, on the log scale: below 0 the vaccine protects. Tuberculosis is rare
# in most of the trials, so that the two hardly differ.
effects = {
    measure: hs.effect_sizes(trials, group="trial", measure=measure, **arms).rename(
        columns={"estimate": f"log {measure}"}
    )
    for measure in ("RR", "OR")
}
by_trial = trials.set_index("trial").astype(str)
table = pd.DataFrame({"latitude": by_trial["ablat"]})
for arm in ("vaccinated", "control"):
    table[arm] = by_trial[f"{arm}_positive"] + " of " + by_trial[f"{arm}_total"]
for measure, effect in effects.items():
    table[measure] = np.exp(effect.set_index("trial")[f"log {measure}"])
print("How many had tuberculosis in each trial, and what the vaccine did")
print(table.round(2).to_string())

# Three poolings of the risk ratios. Leaving whole trials out asks which pooling foresees a trial.
data = hs.GroupedData.from_estimates(effects["RR"], group="trial", estimate="log RR", se="se")
fits = hs.fit_poolings(data, seed=1)
print()
print(hs.compare(fits, unit="group"))
fit = fits["partial"]
found = hs.heterogeneity(fit, threshold=0)
print()
print(found)
mu, new = np.exp(fit.draws("mu")), found.new_group.loc["link"]
low, high = np.quantile(mu, [0.05, 0.95])
print(
    f"\nThe typical risk ratio is {np.median(mu):.2f} (90% interval {low:.2f} to {high:.2f}); that "
    f"of a new\ntrial would lie between {np.exp(new['lower']):.2f} and {np.exp(new['upper']):.2f}."
)
hs.plot_forest(fit, style="meta", exponentiate=True).savefig(output / "bcg_forest.png", dpi=80)
hs.plot_funnel(fit).savefig(output / "bcg_funnel.png", dpi=80)

# What explains the differences? A regression of the trials' effects on their latitude.
latitude = effects["RR"].assign(latitude=trials["ablat"])
by_latitude = hs.PartialPooling().fit(
    hs.GroupedData.from_estimates(
        latitude, group="trial", estimate="log RR", se="se", predictors=["latitude"]
    ),
    seed=1,
)
slopes = hs.coefficients(by_latitude)
print("\nChange of the log risk ratio for one degree of latitude")
print(slopes.round(3).to_string())
print(
    f"Latitude explains {slopes.attrs['explained']['mean']:.0%} of the variance between trials: "
    f"tau falls from {fit.draws('tau').mean():.2f} to {by_latitude.draws('tau').mean():.2f}."
)

# What would a trial find near the equator, and what far from it? Say, one that is large enough for
# a standard error of 0.1.
places = pd.DataFrame({"latitude": [10, 30, 50]})
new = [f"at {degrees} degrees" for degrees in places["latitude"]]
next_trials = hs.predict(by_latitude, new_groups=new, se=0.1, predictors=places).summary
print("\nThe risk ratio that a new trial would find, mean on the log scale and 90% interval")
print(np.exp(next_trials[["mean", "lower", "upper"]]).round(2).to_string())

# The two arms as they were counted. Nothing is approximated by a normal distribution, and the model
# also learns how high the risk is without the vaccine, and whether the odds ratio goes with it: a
# trial's control arm then tells something about its effect.
both = hs.GroupedData.from_arms(trials, group="trial", **arms)
counted = hs.PartialPooling().fit(both, seed=1)
ratios = hs.GroupedData.from_estimates(effects["OR"], group="trial", estimate="log OR", se="se")
approximate = hs.PartialPooling(priors={name: counted.priors[name] for name in ("mu", "tau")}).fit(
    ratios, seed=1
)
print("\nBoth arms, in log-odds")
print(hs.arms(counted, of="population").round(2).to_string())
print("\nLog odds ratios: from the counts, and from estimates with standard errors")
ways = {"counts": hs.group_means(counted), "estimates": hs.group_means(approximate)}
table = trials.set_index("trial")[["vaccinated_positive"]].set_axis(["ill"], axis=1)
table = table.assign(**{name: means["mean"] for name, means in ways.items()})
table = table.assign(**{f"sd_{name}": means["sd"] for name, means in ways.items()})
print(table.sort_values("ill").round(2).to_string())
apart = (table["counts"] - table["estimates"]).abs()
print(f"They differ most for {apart.idxmax()}, by {apart.max():.2f}.")

# What that means in people: differences of risk, and how many to vaccinate to prevent one case, in
# each trial and in places whose risk without the vaccine is known.
print()
print(hs.absolute_effects(counted, weights="equal"))
needed = hs.absolute_effects(
    counted,
    measure="NNT",
    larger_is_better=False,
    baseline={"where 1 in 20 falls ill": 0.05, "where 1 in 500 does": 0.002},
)
print("\nNumber needed to vaccinate, to benefit (NNTB) or to harm (NNTH), with 90% intervals")
shown = pd.concat([needed.table, needed.new_group])[["control", "treated", "interval"]]
print(shown.round(3).to_string())
hs.plot_arms(counted).savefig(output / "bcg_arms.png", dpi=80)

# Patients one by one: blood pressure in twelve hospitals, simulated, so that the truth is known.
# Where it is higher, the drug lowers it more.
rng = np.random.RandomState(5)  # NumPy keeps this generator's stream for good
hospitals = [f"hospital {letter}" for letter in "ABCDEFGHIJKL"]
patients = np.exp(rng.uniform(np.log(8), np.log(90), 12)).astype(int)
mean = rng.normal(150, 8, 12)
truth = pd.Series(-6 - 0.25 * (mean - 150) + rng.normal(0, 2, 12), index=hospitals)
rows = pd.DataFrame({"hospital": np.repeat(hospitals, 2 * patients)})
rows["arm"] = np.where(np.arange(len(rows)) % 2, "drug", "placebo")
place = np.repeat(np.arange(12), 2 * patients)
rows["pressure"] = rng.normal(mean[place] + truth.to_numpy()[place] * (rows["arm"] == "drug"), 15)
by_patient = hs.GroupedData.from_trial(
    rows, group="hospital", arm="arm", control="placebo", outcome="pressure"
)
print(f"\n{len(rows)} patients in {len(hospitals)} hospitals, by arm")
print(rows.groupby(["hospital", "arm"])["pressure"].mean().unstack().head(3).round(1).to_string())
poolings = hs.fit_poolings(by_patient, seed=1)
print()
print(hs.arms(poolings["partial"]))
raw = hs.shrinkage(poolings["partial"])["raw"]
claims = {"raw": raw} | {name: hs.group_means(fit)["mean"] for name, fit in poolings.items()}
errors = (pd.DataFrame(claims).sub(truth, axis=0) ** 2).mean() ** 0.5
print("\nRoot mean squared error of the twelve effects, in mmHg")
print(errors.round(2).to_string())
own = hs.group_means(poolings["partial"])
held = own["lower"].lt(truth) & truth.lt(own["upper"])
print(f"{held.sum()} of 12 intervals of 90% hold the true effect.")

# A hospital that is to join: what the drug would do there, if its mean is known to be 165, and how
# a patient with and without it would fare.
joining = hs.absolute_effects(poolings["partial"], baseline={"joining": 165}).new_group
print("\nIn a hospital where the mean is 165")
print(joining.round(1).to_string())
for treated, words in ((False, "placebo"), (True, "the drug")):
    told = hs.predict(
        poolings["partial"], new_groups=["joining"], baseline=165, treated=treated, seed=1
    ).summary
    middle, low, high = told[["mean", "lower", "upper"]].iloc[0]
    print(f"a patient with {words}: {middle:.0f} ({low:.0f} to {high:.0f})")

# The same patients had their pressure taken before, which tells much of what they have afterwards.
# Adjusted for it, effects are known better; groups are compared at its mean over all patients.
noise = rows["pressure"] - mean[place] - truth.to_numpy()[place] * (rows["arm"] == "drug")
rows["before"] = rng.normal(mean[place] + 0.6 * noise, 9)
adjusted = hs.PartialPooling().fit(
    hs.GroupedData.from_trial(
        rows, group="hospital", arm="arm", control="placebo", outcome="pressure", adjust=["before"]
    ),
    seed=1,
)
slope = hs.summary(adjusted).loc["gamma[before]"]
own = {"as it is": poolings["partial"], "adjusted": adjusted}
sds = pd.Series({name: hs.group_means(fit)["sd"].mean() for name, fit in own.items()})
print(f"\nOne mmHg more before is {slope['mean']:.2f} more afterwards.")
print("What is not known of a hospital's effect, on average (posterior sd, mmHg)")
print(sds.round(2).to_string())

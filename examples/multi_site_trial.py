"""A multi-site trial: where does the BCG vaccine protect, and what would the next trial find.

Thirteen trials of the vaccine against tuberculosis, collected by Colditz and others (1994), are the
meta-analysts' textbook case. Their results differ more than chance allows, and latitude explains
most of that. The first half takes each trial as an estimate with a standard error, the second half
its two arms as they were counted.
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
print(hs.arms(counted).round(2).to_string())
print("\nLog odds ratios: from the counts, and from estimates with standard errors")
ways = {"counts": hs.group_means(counted), "estimates": hs.group_means(approximate)}
table = trials.set_index("trial")[["vaccinated_positive"]].set_axis(["ill"], axis=1)
table = table.assign(**{name: means["mean"] for name, means in ways.items()})
table = table.assign(**{f"sd_{name}": means["sd"] for name, means in ways.items()})
print(table.sort_values("ill").round(2).to_string())
apart = (table["counts"] - table["estimates"]).abs()
print(f"They differ most for {apart.idxmax()}, by {apart.max():.2f}.")

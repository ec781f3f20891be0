"""School calendars: 56 studies in 11 districts, a meta-analysis of three levels.

Does spreading the holidays over the year raise achievement? Studies of one district share its
schools and its people, so that they are not 56 independent answers. The usual random-effects model
takes them for that; here every district adds something of its own to the effects of its studies.
Data of Konstantopoulos (2011, doi:10.1002/jrsm.35), whose REML estimates were a mean of 0.18,
with a variance of 0.065 between districts and 0.033 between studies within them.
"""

from pathlib import Path

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

studies = hs.load_dataset("school_calendars")
data = hs.GroupedData.from_estimates(
    studies, group="study", estimate="effect", se="se", factors=["district"]
)
prior = {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(0.5), "tau_level": hs.HalfNormal(0.5)}
nested = hs.PartialPooling(priors=prior).fit(data, seed=1)
flat = hs.PartialPooling(
    priors={"mu": prior["mu"], "tau": prior["tau"]}, factors=[]
).fit(data, seed=1)  # fmt: skip

print(hs.components(nested))

print("\nThe mean effect, with districts and without")
for name, fit in (("studies in districts", nested), ("56 independent studies", flat)):
    mu = fit.draws("mu")
    print(f"{name:23s} {mu.mean():.2f} ± {mu.std():.2f}")

print("\nWhat each district adds")
print(hs.effects(nested, "district").round(2).to_string())

print("\nWhat the next study will find: in a district seen before, and in a new one")
known, new = data.levels["district"][0], "a new one"
next_studies = studies.head(2).assign(study=["next", "other"], district=[known, new])
found = hs.predict(nested, next_studies[["study", "district"]].set_index("study"), se=0.1, seed=1)
print(found.summary.round(2).to_string())

hs.plot_forest(nested, by="district").savefig(output / "three_level_meta_analysis.png", dpi=70)

"""Eight schools: what coaching added to SAT-V scores, and whether that differed between schools.

Rubin (1981) asked it of eight parallel experiments. Each has an estimated effect, in points, and a
standard error that its large number of students makes as good as known.
"""

from pathlib import Path

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

schools = hs.load_dataset("eight_schools")
data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")

# The three poolings, compared by how well they predict a school that was left out.
fits = hs.fit_poolings(data, seed=1)
print(hs.compare(fits))

# What partial pooling makes of each school: school A's 28 points shrink most, since its own
# estimate is both far from the others and uncertain.
partial = fits["partial"]
ledger = hs.shrinkage(partial)
print("\nEach school's own estimate, and what partial pooling makes of it")
print(ledger[["raw", "raw_se", "mean", "sd", "lower", "upper", "pooling_factor"]])

print()
print(hs.heterogeneity(partial))

# The priors of the textbook posterior (posteriordb: eight_schools), whose reference draws have
# mean 4.4 for mu and 3.6 for tau.
textbook = hs.PartialPooling(priors={"mu": hs.Normal(0, 5), "tau": hs.HalfCauchy(5)})
summary = hs.summary(textbook.fit(data, seed=1))
print("\nWith the textbook's priors, mu ~ Normal(0, 5) and tau ~ HalfCauchy(5)")
print(summary.loc[["mu", "tau"], ["mean", "sd", "lower", "upper"]])

hs.plot_shrinkage(partial).savefig(output / "eight_schools.png", dpi=100)

"""Pump failures: rates from counts over very different times of operation.

Gaver and O'Muircheartaigh (1987): failures of ten pumps of a nuclear power plant, which ran between
1,000 and 126,000 hours. Failures are Poisson with the hours as exposure; the group means are
logarithms of the rate.
"""

from pathlib import Path

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

pumps = hs.load_dataset("pumps")
data = hs.GroupedData.from_events(pumps, group="pump", events="failures", exposure="hours")

fits = hs.fit_poolings(data, seed=1)
print(hs.compare(fits))

partial = fits["partial"]
ledger = hs.shrinkage(partial)[["raw", "mean", "lower", "upper", "pooling_factor"]]
hours = pumps.set_index("pump")[["failures", "hours"]]
print("\nFailures per thousand hours; pumps 7 and 8 ran for about a thousand hours only")
print(hours.join(ledger).round(2).to_string())

# What to expect of a pump that the plant has not run yet.
new_pump = partial.family.to_response(partial.draws("theta_new"))
often = (new_pump > 1).mean()
print(f"\nA new pump fails more than once in a thousand hours with probability {often:.2f}.")

print()
print(hs.heterogeneity(partial))

hs.plot_shrinkage(partial).savefig(output / "pump_failures.png", dpi=100)

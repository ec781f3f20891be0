"""Edit a template: a population with heavier tails than the normal.

Partial pooling's ``theta ~ normal(mu, tau)`` takes a group that is far from all others as a sign
that groups differ a lot in general, and pulls it in. With a Student-t population, one group may be
an outlier. That is a one-line change of one Stan file; sampling, leave-one-out and the prediction
of new groups follow it.
"""

import tempfile
from pathlib import Path

import hierstan as hs

output = Path(__file__).parent / "output"
output.mkdir(exist_ok=True)

# Twelve groups that agree, and a thirteenth that does not.
schools = hs.load_dataset("store_satisfaction").head(12)[["branch", "score", "se"]]
schools.loc[12] = ["outlier", 130.0, 3.0]
data = hs.GroupedData.from_estimates(schools, group="branch", estimate="score", se="se")

normal = hs.PartialPooling().fit(data, seed=1)

with tempfile.TemporaryDirectory() as folder:
    templates = hs.copy_templates(folder)
    file = templates / "partial_pooling.stan"
    program = file.read_text()
    file.write_text(program.replace("theta ~ normal(mu, tau);", "theta ~ student_t(4, mu, tau);"))

    student = hs.PartialPooling(template_dir=templates).fit(data, seed=1)
    print("In the Stan program of the second fit")
    print("\n".join(line for line in student.stan_code.split("\n") if "student_t" in line))
    comparison = hs.compare({"normal": normal, "student_t": student})

# The outlier no longer makes the population look wide, so that the others learn from each other
# again. (Of a Student-t, tau is the scale; pooling factors read it as a standard deviation.)
for name, fit in {"normal": normal, "student_t": student}.items():
    print(f"\nWith a {name} population")
    print(hs.summary(fit).loc[["mu", "tau"], ["mean", "sd", "lower", "upper"]].round(1).to_string())
    ledger = hs.shrinkage(fit)
    print(ledger.loc[["outlier"], ["raw", "mean", "sd"]].round(1).to_string())
    others = ledger.drop("outlier")["pooling_factor"].mean()
    print(f"average pooling factor of the other twelve, tau taken for an sd: {others:.2f}")

print()
print(comparison)

hs.plot_shrinkage(student).savefig(output / "edit_a_template.png", dpi=100)

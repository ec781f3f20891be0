"""How observations arise: one Python file per family, beside its Stan file.

To add a family, add the two files and a line to the list below. Every family whose outcomes are not
estimates has another beside it, of the effects of a treatment on such outcomes.

Imports from: priors.
"""

from __future__ import annotations

from hierstan.families.adjusted import adjusted_by_rows
from hierstan.families.bernoulli import Bernoulli
from hierstan.families.beta_binomial import BetaBinomial
from hierstan.families.binomial import Binomial
from hierstan.families.family import Family
from hierstan.families.gamma import Gamma
from hierstan.families.lognormal import Lognormal
from hierstan.families.neg_binomial import NegBinomial
from hierstan.families.normal import Normal
from hierstan.families.normal_adjusted import NormalAdjusted
from hierstan.families.normal_correlated import NormalCorrelated
from hierstan.families.normal_known import NormalKnown
from hierstan.families.normal_unequal import NormalUnequal
from hierstan.families.normal_unequal_adjusted import NormalUnequalAdjusted
from hierstan.families.normal_weighted import NormalWeighted
from hierstan.families.ordinal import Ordinal
from hierstan.families.ordinal_adjusted import OrdinalAdjusted
from hierstan.families.poisson import Poisson
from hierstan.families.student_t import StudentT
from hierstan.families.treatment import effects_on
from hierstan.families.zero_inflated_neg_binomial import ZeroInflatedNegBinomial
from hierstan.families.zero_inflated_poisson import ZeroInflatedPoisson

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        NormalKnown(),
        NormalCorrelated(),
        Normal(),
        NormalUnequal(),
        NormalWeighted(),
        StudentT(),
        Binomial(),
        BetaBinomial(),
        Bernoulli(),
        Ordinal(),
        Poisson(),
        NegBinomial(),
        ZeroInflatedPoisson(),
        ZeroInflatedNegBinomial(),
        Lognormal(),
        Gamma(),
    )
}
ADJUSTABLE = (
    Bernoulli, BetaBinomial, Binomial, Gamma, Lognormal, NegBinomial, NormalWeighted, Poisson,
    StudentT,
)  # fmt: skip
FAMILIES |= {
    family.name: family
    for family in [
        NormalAdjusted(),
        NormalUnequalAdjusted(),
        OrdinalAdjusted(),
        *(adjusted_by_rows(base) for base in FAMILIES.values() if isinstance(base, ADJUSTABLE)),
    ]
}
FAMILIES |= {
    family.name: family
    for family in [effects_on(base) for base in FAMILIES.values() if not base.estimates]
}


def default(constructor: str) -> str:
    """Return the family that a constructor takes its data for unless told otherwise."""
    return accepted_by(constructor)[0]


def accepted_by(constructor: str) -> list[str]:
    """Return the families that a constructor such as ``"rows"`` accepts, the default first."""
    return [
        name
        for name, family in FAMILIES.items()
        if constructor in family.takes and not family.adjusted
    ]

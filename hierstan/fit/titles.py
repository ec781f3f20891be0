"""What each pooling takes the groups for, in words and as a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierstan.data.predictors import predictor_words

if TYPE_CHECKING:
    from hierstan.fit.fit import Fit

TITLES = {
    "complete": "Complete pooling: the groups share one mean, theta[j] = mu",
    "none": "No pooling: every group on its own, theta[j] ~ prior",
    "partial": "Partial pooling: the groups belong to one population, theta[j] ~ normal(mu, tau)",
}
OF_EFFECTS = {
    "the groups share one mean": "the groups share one effect",
    "the groups differ by": "the effects differ by",
    "every group on its own": "every group's effect on its own",
    "the groups belong to one": "the effects belong to one",
}


def title_of(fit: Fit) -> str:
    """Say what a pooling takes the groups for, in words and as a formula of theta."""
    title = TITLES[fit.model.name]
    if "beta" in fit.arrays:
        title = title.replace("mu", "mu + x[j] * beta").replace(
            "share one mean", "differ by x alone"
        )
    if any(name in fit.arrays for name in fit.data.tau_names):
        added = " + ".join(f"u[{name} of j]" for name in map(str, fit.data.levels))
        for told in ("share one mean", "differ by x alone"):
            title = title.replace(told, "differ by what they are")
        title = title.replace("mu + x[j] * beta", "mu").replace("mu", f"mu + {added}", 1)
        if "beta" in fit.arrays:
            title = title.replace("mu +", "mu + x[j] * beta +")
    if fit.family.treatment:
        for told, meant in OF_EFFECTS.items():
            title = title.replace(told, meant)
    return title


def pooling_meaning(fit: Fit) -> str:
    """Say what a pooling takes the groups for, in the user's words."""
    groups = f"{len(fit.data.groups):,} groups ({fit.data.grouped_by})"
    if fit.model.stands_alone:
        return f"each of the {groups} by its own data alone"
    known = [*map(str, fit.data.levels)] if fit.data.factors is not None else []
    if fit.model.has_population:
        others = f"those alike in {', '.join(known)}" if known else "the others'"
        return f"each of the {groups} by its own data and, as tau says, {others}"
    known += [name for name in [predictor_words(fit.data.predictors)] if name]
    if known and not fit.model.has_population:
        return f"the {groups} differ by {', '.join(known)} and by nothing else"
    return f"one {'effect' if fit.family.treatment else 'mean'} for all {groups}"

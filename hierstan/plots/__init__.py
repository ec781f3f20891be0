"""Pictures of fits: what was estimated, how much it was pooled, and whether to believe it.

Every function returns a matplotlib ``Figure`` (`plot_trace`: ArviZ's ``PlotCollection``); both have
``savefig``. Nothing is shown and no global setting changes. The three poolings have the same
colours in every picture (`hierstan.plots.style.POOLING_COLORS`).

Imports from: answers, data, errors, families, fit, priors, sampling, text, trust.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "arms": ["plot_arms"],
        "compare": ["plot_compare"],
        "forest": ["plot_forest"],
        "funnel": ["plot_funnel"],
        "influence": ["plot_influence"],
        "khat": ["plot_khat"],
        "population": ["plot_population"],
        "ppc": ["plot_ppc"],
        "ranks": ["plot_ranks"],
        "sensitivity": ["plot_prior_sensitivity"],
        "shrinkage": ["plot_shrinkage"],
        "structure": ["plot_components", "plot_effects"],
        "trace": ["plot_trace"],
        "uplift": ["plot_uplift"],
    },
)

"""Complete, no and partial pooling of grouped data with Stan."""

from __future__ import annotations

import lazy_loader as lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "advice": ["decision_table"],
        "calibration": ["sbc"],
        "calibration_plot": ["plot_sbc"],
        "certificate": ["certify"],
        "coefficients": ["coefficients"],
        "comparison": ["compare", "loo", "waic"],
        "cross_check": ["cross_check"],
        "data": ["GroupedData"],
        "datasets": ["load_dataset"],
        "decisions": ["expected_loss", "prob_best", "prob_greater", "uplift"],
        "diagnostics": ["diagnose", "summary"],
        "effect_sizes": ["effect_sizes"],
        "errors": [
            "DataError",
            "EngineError",
            "HierstanError",
            "HierstanWarning",
            "PriorError",
            "TemplateError",
        ],
        "fit": ["Fit"],
        "heterogeneity": ["heterogeneity"],
        "keeping": ["load"],
        "models": ["CompletePooling", "NoPooling", "PartialPooling", "fit_poolings"],
        "plots": [
            "plot_compare",
            "plot_forest",
            "plot_funnel",
            "plot_khat",
            "plot_population",
            "plot_ppc",
            "plot_prior_sensitivity",
            "plot_ranks",
            "plot_shrinkage",
            "plot_trace",
            "plot_uplift",
        ],
        "prediction": ["predict"],
        "priors": [
            "Cauchy",
            "Exponential",
            "Gamma",
            "HalfCauchy",
            "HalfNormal",
            "HalfStudentT",
            "InverseGamma",
            "LogNormal",
            "Normal",
            "StudentT",
            "Uniform",
        ],
        "ranks": ["prob_top", "rank_intervals", "rank_probabilities"],
        "regret": ["prob_regret", "value_remaining"],
        "report": ["report"],
        "scoring": ["score"],
        "sensitivity": ["prior_sensitivity"],
        "shrinkage": ["group_means", "shrinkage"],
        "simulation": ["simulate"],
        "templates": ["copy_templates"],
        "two_part": ["TwoPart"],
        "winners": ["winners_curse"],
    },
)

"""Complete, no and partial pooling of grouped data with Stan."""

from __future__ import annotations

import lazy_loader as lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "comparison": ["compare", "loo", "waic"],
        "data": ["GroupedData"],
        "datasets": ["load_dataset"],
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
            "plot_khat",
            "plot_population",
            "plot_ppc",
            "plot_prior_sensitivity",
            "plot_shrinkage",
            "plot_trace",
        ],
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
        "sensitivity": ["prior_sensitivity"],
        "shrinkage": ["group_means", "shrinkage"],
        "templates": ["copy_templates"],
    },
)

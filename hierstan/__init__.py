"""Complete, no and partial pooling of grouped data with Stan.

Data often come in groups: stores, schools, trial sites, segments, variants of a page. hierstan fits
one mean for all of them (complete pooling), one for each alone (no pooling), and a population of
means whose spread ``tau`` is estimated (partial pooling); says which the data support; and answers
what follows.

>>> import hierstan as hs
>>> schools = hs.load_dataset("eight_schools")
>>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
>>> fits = hs.fit_poolings(data, seed=1, engine="stanli")
>>> print(hs.compare(fits).verdict.split(":")[0])
The data cannot tell how different the groups are
>>> ledger = hs.shrinkage(fits["partial"])
>>> print(ledger["mean"].idxmax(), list(ledger)[:4])
A ['raw', 'raw_se', 'mean', 'sd']

Data
    `GroupedData` from estimates, means, counts, events, trials or rows; `effect_sizes`,
    `load_dataset`.
Models
    `fit_poolings`; `PartialPooling`, `CompletePooling`, `NoPooling`, `TwoPart`, each with
    ``fit(data)``; priors such as `HalfNormal`; `load` for a fit that was saved.
Can it be trusted?
    `diagnose` the draws, `check` the model, `prior_sensitivity`; `sbc`, `certify`, `cross_check`.
Which pooling, and how different are the groups?
    `compare`, `loo`, `heterogeneity`, `components`, `effects`, `coefficients`.
What is each group's mean?
    `summary`, `group_means`, `shrinkage`, `poststratify`, `predict`, `score`.
What does a treatment change, in each group and in all?
    `arms`, `absolute_effects`; ``plot_arms``.
Which is best?
    `decision_table`, `prob_best`, `expected_loss`, `uplift`, `rank_probabilities`,
    `winners_curse`.
To show
    ``plot_…``, `report`; `options` sets the probability of all intervals.

In a shell, ``hierstan demo`` shows all of this, and ``hierstan compare --help`` takes a file.
"""

from __future__ import annotations

import copyreg
import importlib
import sys
from types import ModuleType

import lazy_loader as lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "answers.decisions.decision_table": ["decision_table"],
        "answers.differences.absolute": ["absolute_effects"],
        "answers.differences.arms": ["arms"],
        "trust.sbc": ["sbc"],
        "plots.sbc": ["plot_sbc"],
        "trust.certify": ["certify"],
        "answers.differences.coefficients": ["coefficients"],
        "answers.differences.components": ["components", "effects"],
        "answers.prediction.poststratify": ["poststratify"],
        "answers.comparison.compare": ["compare"],
        "answers.comparison.integrated": ["integrated_log_likelihood"],
        "answers.comparison.influence": ["influence"],
        "answers.comparison.loo": ["loo", "waic"],
        "trust.cross_check": ["cross_check"],
        "data.grouped_data": ["GroupedData"],
        "datasets": ["load_dataset"],
        "answers.decisions.best_group": ["expected_loss", "prob_best", "prob_greater", "uplift"],
        "answers.check": ["check"],
        "answers.diagnose": ["diagnose", "summary"],
        "data.effect_sizes": ["effect_sizes"],
        "errors": [
            "DataError",
            "EngineError",
            "HierstanError",
            "HierstanWarning",
            "PriorError",
            "TemplateError",
        ],
        "fit.fit": ["Fit"],
        "fit.settings": ["options"],
        "answers.differences.heterogeneity": ["heterogeneity"],
        "models.load": ["load"],
        "models.poolings": ["CompletePooling", "NoPooling", "PartialPooling", "fit_poolings"],
        "plots": [
            "plot_arms",
            "plot_compare",
            "plot_components",
            "plot_effects",
            "plot_forest",
            "plot_funnel",
            "plot_influence",
            "plot_khat",
            "plot_population",
            "plot_ppc",
            "plot_prior_sensitivity",
            "plot_ranks",
            "plot_shrinkage",
            "plot_trace",
            "plot_uplift",
        ],
        "answers.prediction.predict": ["predict"],
        "priors": [
            "Cauchy",
            "Dirichlet",
            "Exponential",
            "Gamma",
            "HalfCauchy",
            "HalfNormal",
            "HalfStudentT",
            "InverseGamma",
            "LogNormal",
            "Normal",
            "StudentT",
            "TruncatedNormal",
            "Uniform",
        ],
        "answers.decisions.ranks": ["prob_top", "rank_intervals", "rank_probabilities"],
        "answers.differences.ratings": ["ratings"],
        "answers.decisions.regret": ["prob_regret", "value_remaining"],
        "report": ["report"],
        "answers.prediction.score": ["score"],
        "answers.comparison.prior_sensitivity": ["prior_sensitivity"],
        "answers.differences.shrinkage": ["group_means", "shrinkage"],
        "trust.simulate": ["simulate"],
        "programs.files": ["copy_templates"],
        "models.two_part": ["TwoPart"],
        "answers.decisions.winners_curse": ["winners_curse"],
    },
)


def _by_name(module: ModuleType) -> tuple[object, tuple[str]]:
    return importlib.import_module, (module.__name__,)


# Since `report` is a folder and a function, lazy_loader gives this module a type of its own, which
# cloudpickle (joblib, Dask, Spark, Ray) cannot tell for a module: let it travel by its name.
copyreg.pickle(type(sys.modules[__name__]), _by_name)

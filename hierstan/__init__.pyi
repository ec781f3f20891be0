"""The front door's names with their types; `__init__.py` loads their rooms on first use."""

from hierstan.answers.check import check as check
from hierstan.answers.comparison.compare import compare as compare
from hierstan.answers.comparison.influence import influence as influence
from hierstan.answers.comparison.integrated import (
    integrated_log_likelihood as integrated_log_likelihood,
)
from hierstan.answers.comparison.loo import loo as loo
from hierstan.answers.comparison.loo import waic as waic
from hierstan.answers.comparison.prior_sensitivity import prior_sensitivity as prior_sensitivity
from hierstan.answers.decisions.best_group import expected_loss as expected_loss
from hierstan.answers.decisions.best_group import prob_best as prob_best
from hierstan.answers.decisions.best_group import prob_greater as prob_greater
from hierstan.answers.decisions.best_group import uplift as uplift
from hierstan.answers.decisions.decision_table import decision_table as decision_table
from hierstan.answers.decisions.ranks import prob_top as prob_top
from hierstan.answers.decisions.ranks import rank_intervals as rank_intervals
from hierstan.answers.decisions.ranks import rank_probabilities as rank_probabilities
from hierstan.answers.decisions.regret import prob_regret as prob_regret
from hierstan.answers.decisions.regret import value_remaining as value_remaining
from hierstan.answers.decisions.winners_curse import winners_curse as winners_curse
from hierstan.answers.diagnose import diagnose as diagnose
from hierstan.answers.diagnose import summary as summary
from hierstan.answers.differences.absolute import absolute_effects as absolute_effects
from hierstan.answers.differences.arms import arms as arms
from hierstan.answers.differences.coefficients import coefficients as coefficients
from hierstan.answers.differences.components import components as components
from hierstan.answers.differences.components import effects as effects
from hierstan.answers.differences.heterogeneity import heterogeneity as heterogeneity
from hierstan.answers.differences.shrinkage import group_means as group_means
from hierstan.answers.differences.shrinkage import shrinkage as shrinkage
from hierstan.answers.prediction.poststratify import poststratify as poststratify
from hierstan.answers.prediction.predict import predict as predict
from hierstan.answers.prediction.score import score as score
from hierstan.data.effect_sizes import effect_sizes as effect_sizes
from hierstan.data.grouped_data import GroupedData as GroupedData
from hierstan.datasets import load_dataset as load_dataset
from hierstan.errors import DataError as DataError
from hierstan.errors import EngineError as EngineError
from hierstan.errors import HierstanError as HierstanError
from hierstan.errors import HierstanWarning as HierstanWarning
from hierstan.errors import PriorError as PriorError
from hierstan.errors import TemplateError as TemplateError
from hierstan.fit.fit import Fit as Fit
from hierstan.fit.settings import options as options
from hierstan.models.load import load as load
from hierstan.models.poolings import CompletePooling as CompletePooling
from hierstan.models.poolings import NoPooling as NoPooling
from hierstan.models.poolings import PartialPooling as PartialPooling
from hierstan.models.poolings import fit_poolings as fit_poolings
from hierstan.models.two_part import TwoPart as TwoPart
from hierstan.plots.compare import plot_compare as plot_compare
from hierstan.plots.forest import plot_forest as plot_forest
from hierstan.plots.funnel import plot_funnel as plot_funnel
from hierstan.plots.influence import plot_influence as plot_influence
from hierstan.plots.khat import plot_khat as plot_khat
from hierstan.plots.population import plot_population as plot_population
from hierstan.plots.ppc import plot_ppc as plot_ppc
from hierstan.plots.ranks import plot_ranks as plot_ranks
from hierstan.plots.sbc import plot_sbc as plot_sbc
from hierstan.plots.sensitivity import plot_prior_sensitivity as plot_prior_sensitivity
from hierstan.plots.shrinkage import plot_shrinkage as plot_shrinkage
from hierstan.plots.structure import plot_components as plot_components
from hierstan.plots.structure import plot_effects as plot_effects
from hierstan.plots.trace import plot_trace as plot_trace
from hierstan.plots.uplift import plot_uplift as plot_uplift
from hierstan.priors import Cauchy as Cauchy
from hierstan.priors import Dirichlet as Dirichlet
from hierstan.priors import Exponential as Exponential
from hierstan.priors import Gamma as Gamma
from hierstan.priors import HalfCauchy as HalfCauchy
from hierstan.priors import HalfNormal as HalfNormal
from hierstan.priors import HalfStudentT as HalfStudentT
from hierstan.priors import InverseGamma as InverseGamma
from hierstan.priors import LogNormal as LogNormal
from hierstan.priors import Normal as Normal
from hierstan.priors import StudentT as StudentT
from hierstan.priors import Uniform as Uniform
from hierstan.programs.files import copy_templates as copy_templates
from hierstan.report import report as report
from hierstan.trust.certify import certify as certify
from hierstan.trust.cross_check import cross_check as cross_check
from hierstan.trust.sbc import sbc as sbc
from hierstan.trust.simulate import simulate as simulate

__all__: list[str]
__version__: str

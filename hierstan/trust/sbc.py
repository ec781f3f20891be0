"""Simulation-based calibration: whether posteriors hold the truth as often as they say.

Data sets are simulated at values drawn from the prior, and fitted; the rank of each true value
among the posterior's draws is then uniform if program and sampler are right, and ranks that are not
show that something is wrong (Talts, Betancourt, Simpson, Vehtari and Gelman 2018,
arXiv:1804.06788). The likelihood's rank also sees what those of the parameters can miss (Modrák et
al. 2023, doi:10.1214/23-BA1404).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import EngineError, HierstanError, HierstanWarning
from hierstan.families import FAMILIES
from hierstan.fit.fit import Fit
from hierstan.models.pooling import Pooling
from hierstan.programs.program import Program
from hierstan.sampling.inputs import stan_data
from hierstan.text.tables import plain_labels
from hierstan.trust.generator import Generator, Simulation, of_program
from hierstan.trust.sbc_result import SBCResult

CHAINS, WARMUP = 2, 500
THINNING = (10, 40)  # the second where the first leaves draws that depend on each other
MAX_R_HAT = 1.05
MAX_LEVELS = 3  # of each factor that are ranked
MAX_THETA = 3  # groups whose means are ranked: the best informed, a middling and the worst


def sbc(
    model: Pooling,
    data: GroupedData,
    *,
    replicates: int = 100,
    draws: int = 99,
    seed: int | None = None,
    n_jobs: int = -1,
    progress: bool = True,
    engine: str = "auto",
    population: str = "normal",
) -> SBCResult:
    """Check by simulation that a model's posteriors are calibrated.

    Parameters
    ----------
    model : CompletePooling, NoPooling or PartialPooling
        Its default priors are scaled to `data` once and then kept.
    data : GroupedData
        Gives groups and design, see `simulate`.
    replicates : int
        Number of simulated data sets. 100 show gross errors, 500 most.
    draws : int
        Posterior draws that each true value is ranked among. Ten times as many are made, or forty
        times where needed, and thinned so that they are nearly independent.
    seed : int, optional
        The same seed gives the same result.
    n_jobs : int
        Number of processes, as joblib takes it: -1 is one for each core.
    progress : bool
        Whether to show a progress bar on standard error.
    engine : {"auto", "cmdstan", "stanli"}
    population : {"normal", "template"}
        What partial pooling is held against: the population ``normal(mu, tau)`` that hierstan
        documents, or the one that an edited template states itself.

    Returns
    -------
    SBCResult
        ``.ok``, ``.table`` (one line per quantity), ``.ranks``; says it in words when printed.

    Raises
    ------
    HierstanError
        For a template with parameters whose prior hierstan cannot know, or if no fit succeeds.
    TemplateError
        If ``log_lik`` or ``log_population`` disagree with the model block.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> model = hs.PartialPooling(priors={"mu": hs.Normal(0, 10), "tau": hs.HalfNormal(10)})
    >>> checked = hs.sbc(
    ...     model, data, replicates=20, seed=1, n_jobs=1, progress=False, engine="stanli"
    ... )
    >>> checked.ok, list(checked.ranks)[:3]
    (True, ['mu', 'tau', 'theta[E]'])
    """
    for name, value in (("replicates", replicates), ("draws", draws)):
        if not isinstance(value, int) or value < 10:
            raise HierstanError(f"{name} must be a whole number of at least 10, got {value!r}.")
    source = np.random.SeedSequence(seed)
    model = _with_fixed_priors(model, data)
    generator = Generator(model, data, population)
    task = _Task(model, generator.program, _ranked_groups(model, data), draws, engine)
    jobs = (
        (generator.simulate({}, np.random.default_rng(child)), int(child.generate_state(1)[0]))
        for child in source.spawn(replicates)
    )
    done = list(_run(task, jobs, replicates, n_jobs, progress))
    kept = [outcome.ranks for outcome in done if outcome.ranks]
    if not kept:
        raise HierstanError(f"None of the {replicates} fits succeeded. The first: {done[0].error}")
    return SBCResult(
        ranks=pd.DataFrame(kept).rename_axis(index="replicate"),
        draws=draws,
        replicates=replicates,
        errors=[outcome.error for outcome in done if outcome.error],
        unmixed=sum(outcome.unmixed for outcome in done),
        diverged=sum(outcome.diverged for outcome in done),
        edited=model.program(data).edited or generator.program.edited,
        population=population if model.has_population else "",
    )


# internals ------------------------------------------------------------------------------------


def _truth(simulation: Simulation) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in simulation.truth.items()}


@dataclass(frozen=True)
class _Outcome:
    """What became of one replicate."""

    ranks: dict[str, int]
    error: str = ""
    unmixed: bool = False
    diverged: bool = False


@dataclass(frozen=True)
class _Task:
    """Fit one simulated data set and rank the truth; goes to other processes."""

    model: Pooling
    program: Program
    groups: tuple[int, ...]
    draws: int
    engine: str

    def __call__(self, simulation: Simulation, seed: int) -> _Outcome:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", HierstanWarning)
                fit, unmixed = self._fit(simulation.data, seed % (2**31 - 2) + 1)
                ranks = self._ranks(fit, simulation)
        except EngineError as error:
            return _Outcome({}, str(error))
        return _Outcome(ranks, "", unmixed, bool(fit.stats["diverging"].any()))

    def _fit(self, data: GroupedData, seed: int) -> tuple[Fit, bool]:
        """Fit, once more with more draws if these would not be independent once thinned."""
        for thinning in THINNING:
            fit = self.model.fit(
                data,
                chains=CHAINS,
                warmup=WARMUP,
                draws=thinning * -(-self.draws // CHAINS),
                seed=seed,
                engine=self.engine,
                progress=False,
            )
            table = fit.convergence().parameters
            table = table[table["variable"] != "theta_new"]
            mixed = table["ess_bulk"].min() >= self.draws and table["r_hat"].max() <= MAX_R_HAT
            if mixed:
                break
        return fit, not mixed

    def _ranks(self, fit: Fit, simulation: Simulation) -> dict[str, int]:
        truth = _truth(simulation)
        size = CHAINS * fit.options["draws"]
        places = np.linspace(0, size - 1, self.draws).round().astype(int)
        data, groups = simulation.data, np.array(self.groups, dtype=int)
        ranks = {
            name: int((fit.draws(name)[places] < truth[name]).sum())
            for name in self.model.prior_names(data)
            if name not in ("beta", "theta", *FAMILIES[data.family].parameter_dims)
        }
        for name, dim in FAMILIES[data.family].parameter_dims.items():
            below = fit.draws(name)[places] < truth[name]
            ranks |= _each(name, fit.arrays.labels(dim).tolist(), below)
        if data.predictors is not None and "beta" in fit.priors:
            below = fit.draws("beta")[places] < truth["beta"]
            ranks |= _each("beta", plain_labels(data.predictors.columns), below)
        for factor, known in fit.data.levels.items():
            if (name := f"u_{factor}") in truth:
                some = _spread_out(len(known), MAX_LEVELS)
                below = fit.draws(name)[places][:, some] < truth[name][some]
                ranks |= _each(name, [plain_labels(known)[level] for level in some], below)
        labels = plain_labels(data.groups)
        below = fit.theta(groups, places) < truth["theta"][groups]
        ranks |= _each("theta", [labels[j] for j in groups], below)
        if "baseline" in truth:
            arms = list(self.groups) or list(_spread_out(len(labels), MAX_THETA))
            below = fit.draws("baseline")[places][:, arms] < truth["baseline"][arms]
            ranks |= _each("baseline", [labels[j] for j in arms], below)
        if own := FAMILIES[data.family].of_group:
            below = fit.draws(own)[places][:, groups] < truth[own][groups]
            ranks |= _each(own, [labels[j] for j in groups], below)
        log_lik = self._log_lik(fit, simulation, places)
        return {**ranks, "log_lik": int((log_lik[:-1] < log_lik[-1]).sum())}

    def _log_lik(self, fit: Fit, simulation: Simulation, places: np.ndarray) -> np.ndarray:
        """Return the total log likelihood at the draws and, last, at the truth."""
        from hierstan.engines.stanli import Evaluator

        entries = stan_data(fit.data, fit.priors, pointwise=True)
        truth = of_program(fit.data, _truth(simulation))
        evaluator = Evaluator(self.program, entries)
        points = {
            name: np.concatenate(
                [
                    fit.theta(draws=places) if name == "theta" else fit.draws(name)[places],
                    [truth[name]],
                ]
            )
            for name in evaluator.parameters
        }
        return evaluator.written(points, ["log_lik"])["log_lik"].sum(axis=1)


def _each(name: str, labels: list[str], below: np.ndarray) -> dict[str, int]:
    """Return the rank of each element of a vector, from where its draws are below the truth."""
    counts = below.sum(axis=0)
    return {f"{name}[{label}]": int(n) for label, n in zip(labels, counts, strict=True)}


def _with_fixed_priors(model: Pooling, data: GroupedData) -> Pooling:
    """Return the model with its default priors written out, which else follow each data set."""
    if not isinstance(model, Pooling):
        raise HierstanError(
            f"sbc takes a model such as hs.PartialPooling(), got {type(model).__name__}."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)  # said when the user made the model
        return replace(model, priors=model.resolve_priors(data))


def _ranked_groups(model: Pooling, data: GroupedData) -> tuple[int, ...]:
    """Choose groups from the best informed to the worst; none where all have the same mean."""
    if model.shares_mean:
        return ()
    order = np.argsort(raw_estimates(data)["link_se"].to_numpy(), kind="stable")
    return tuple(int(order[place]) for place in _spread_out(len(order), MAX_THETA))


def _spread_out(size: int, most: int) -> np.ndarray:
    """Return at most so many positions, from the first to the last."""
    return np.linspace(0, size - 1, min(most, size)).round().astype(int)


def _run(
    task: _Task,
    jobs: Iterator[tuple[Simulation, int]],
    replicates: int,
    n_jobs: int,
    progress: bool,
) -> Iterator[_Outcome]:
    import joblib
    from tqdm.auto import tqdm

    parallel: Any = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    outcomes = parallel(joblib.delayed(task)(*job) for job in jobs)
    yield from tqdm(outcomes, total=replicates, desc="calibration", disable=not progress)

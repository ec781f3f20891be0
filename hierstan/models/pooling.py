"""What the three poolings share: priors, program, and how a fit is run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hierstan.data.degenerate import check_variation
from hierstan.data.grouped_data import GroupedData
from hierstan.engines import Settings, get_engine
from hierstan.errors import DataError, PriorError
from hierstan.families import FAMILIES
from hierstan.fit.fit import Fit
from hierstan.models.edited_templates import check_consistency
from hierstan.priors import Prior, Uniform, check_prior
from hierstan.programs.program import Program
from hierstan.programs.render import render
from hierstan.sampling import run
from hierstan.sampling.coordinates import nearly_normal, sampling_scale

# With more than so many groups. Steps get shorter with their number; at these rates a trajectory of
# 2^k - 1 of them is about half a turn, which leaves the least correlation between draws.
ADAPT_DELTA = {3000: 0.7, 1000: 0.8, 100: 0.85, 0: 0.9}
FEW = 100  # groups, up to which seconds do not matter
ADAPT_DELTA_NORMAL = 0.7  # of the two or three parameters that are left without the group means


@dataclass(frozen=True, eq=False)
class Pooling:
    """What the three poolings share. Use `CompletePooling`, `NoPooling` or `PartialPooling`.

    Parameters
    ----------
    priors : mapping of str to Prior, optional
        Priors to use instead of the defaults, by parameter.
    template_dir : path-like, optional
        Folder of edited Stan templates, made by `copy_templates`. Else the environment variable
        ``HIERSTAN_TEMPLATES``, else the templates that hierstan ships.
    """

    priors: Mapping[str, Prior] | None = None
    template_dir: str | os.PathLike[str] | None = None

    name: ClassVar[str]
    own_parameters: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for parameter, prior in (self.priors or {}).items():
            check_prior(parameter, prior)

    def prior_names(self, data: GroupedData) -> tuple[str, ...]:
        """Return the names of the parameters that take a prior, for these data.

        Examples
        --------
        >>> import hierstan as hs
        >>> dyes = hs.load_dataset("dyes")
        >>> data = hs.GroupedData.from_rows(dyes, group="batch", outcome="yield")
        >>> hs.PartialPooling().prior_names(data)
        ('mu', 'tau', 'sigma')
        """
        absent = {"beta"} if data.predictors is None else set()
        own = (name for name in self.own_parameters if name not in absent)
        return (*own, *FAMILIES[data.family].parameters)

    def resolve_priors(self, data: GroupedData) -> dict[str, Prior]:
        """Return the prior of every parameter: the given ones over the defaults for these data.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> print(hs.PartialPooling(priors={"tau": hs.HalfNormal(5)}).resolve_priors(data)["tau"])
        HalfNormal(5)
        """
        valid = self.prior_names(data)
        given = dict(self.priors or {})
        unknown = sorted(set(given) - set(valid))
        if unknown:
            raise PriorError(
                f"{type(self).__name__} of {data.family} data has no parameter "
                f"{', '.join(map(repr, unknown))}. Valid names are {', '.join(sorted(valid))}."
            )
        defaults = FAMILIES[data.family].default_priors(data.cells)
        return {name: given.get(name, defaults[name]) for name in valid}

    def program(self, data: GroupedData, priors: Mapping[str, Prior] | None = None) -> Program:
        """Return the rendered Stan program that `fit` samples from.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> hs.NoPooling().program(data).edited
        False
        """
        return self._render(data, priors or self.resolve_priors(data), self._parameterization(data))

    def stan_code(self, data: GroupedData) -> str:
        """Return the Stan program for these data, as text.

        Parameters
        ----------
        data : GroupedData

        Returns
        -------
        str

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> "tau ~ normal(0, tau_scale);" in hs.PartialPooling().stan_code(data)
        True
        """
        return self.program(data).code

    def fit(
        self,
        data: GroupedData,
        *,
        chains: int = 4,
        warmup: int = 1000,
        draws: int = 1000,
        seed: int | None = None,
        adapt_delta: float | None = None,
        engine: str = "auto",
        progress: bool = True,
        prior_only: bool = False,
    ) -> Fit:
        """Fit the model.

        Parameters
        ----------
        data : GroupedData
        chains, warmup, draws : int
            Number of chains, of warmup draws and of kept draws in each.
        seed : int, optional
            From 1 to 2^31 - 1. The same seed on the same engine gives the same draws; without one,
            a random one is taken and kept in ``fit.seed``.
        adapt_delta : float, optional
            Target acceptance rate, in (0, 1); raise it towards 1 when there are divergences. By
            default 0.9, and 0.85, 0.8 and 0.7 above 100, 1,000 and 3,000 groups: the best rate
            falls towards 0.65 with their number (Beskos et al. 2013, doi:10.3150/12-BEJ414). Where
            the group means are integrated out, 0.7 once the data determine the other parameters.
        engine : {"auto", "cmdstan", "stanli"}
            ``"auto"`` takes CmdStan where it is installed, else the embedded engine;
            ``HIERSTAN_ENGINE`` stands in for it.
        progress : bool
            Whether a long run shows a progress bar on standard error.
        prior_only : bool
            Ignore the outcomes: draw from the prior and the prior predictive distribution.

        Returns
        -------
        Fit

        Raises
        ------
        DataError, PriorError, TemplateError, EngineError

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.draws("theta").shape
        (4000, 8)
        """
        _check_data(data, self)
        if not prior_only:
            check_variation(data)
        priors = self.resolve_priors(data)
        parameterization = self._parameterization(data, prior_only=prior_only)
        program = self._render(data, priors, parameterization)
        settings = Settings(
            chains=chains,
            warmup=warmup,
            draws=draws,
            seed=_random_seed() if seed is None else seed,
            adapt_delta=_adapt_delta(data, program, priors) if adapt_delta is None else adapt_delta,
            progress=progress,
        )
        plan = run.Plan(
            data=data,
            priors=priors,
            program=program,
            conditional=self._render(data, priors, self._conditional),
            scale=self._scale(data, priors, parameterization),
            prior_only=prior_only,
            one_mean=self._one_mean(data, program),
        )
        check_consistency(plan)
        chosen = get_engine(engine)
        sampled, settings, note = run.run(plan, chosen, settings, mend=self._mends)
        return Fit(
            model=self,
            data=data,
            sampled=sampled,
            priors=priors,
            engine=chosen.version(),
            seed=settings.seed,
            options={
                "chains": settings.chains,
                "warmup": settings.warmup,
                "draws": settings.draws,
                "adapt_delta": settings.adapt_delta,
            },
            program=plan.program,
            conditional=plan.conditional,
            parameterization=parameterization,
            prior_only=prior_only,
            note=note,
        )

    _conditional: ClassVar[str | None] = None
    _mends = False

    def _parameterization(self, data: GroupedData, *, prior_only: bool = False) -> str | None:
        return None

    def _one_mean(self, data: GroupedData, program: Program) -> bool:
        return False

    def _scale(
        self, data: GroupedData, priors: Mapping[str, Prior], parameterization: str | None
    ) -> dict[str, Any]:
        """Return what a mixed program is told about the groups."""
        measured = parameterization == "marginal" and self._measures_mu(data, priors)
        if not measured and parameterization not in ("mixed", "noncentered"):
            return {}
        return sampling_scale(data, own_data=parameterization != "noncentered")

    def _measures_mu(self, data: GroupedData, priors: Mapping[str, Prior]) -> bool:
        """Whether to measure ``mu`` from where the data put it given ``tau``.

        With few groups it is known far better for a small ``tau`` than for a large one.
        """
        few = self.name == "partial" and len(data.groups) <= FEW
        return few and data.predictors is None and not isinstance(priors["mu"], Uniform)

    def _render(
        self, data: GroupedData, priors: Mapping[str, Prior], parameterization: str | None
    ) -> Program:
        family = FAMILIES[data.family]
        marginal = parameterization == "marginal"
        predictors = data.predictors is not None and "beta" in self.own_parameters
        if parameterization == "noncentered":
            parameterization = "mixed"  # with groups whose own data count for nothing
        if marginal:
            parameterization = "mixed" if self._measures_mu(data, priors) else None
        bounds = {"tau": 0.0, **dict.fromkeys(family.parameters, 0.0), **family.lower_bounds}
        lower = {name: bound for name, bound in bounds.items() if bound > -np.inf}
        return render(
            f"{self.name if self.name != 'none' else 'no'}_pooling" + "_marginal" * marginal,
            data.family + "_marginal" * marginal,
            priors,
            lower_bounds=lower,
            parameterization=parameterization,
            predictors=predictors,
            template_dir=self.template_dir,
        )


# internals ------------------------------------------------------------------------------------


def _check_data(data: object, model: Pooling) -> None:
    if not isinstance(data, GroupedData):
        raise DataError(
            f"fit takes a GroupedData, got {type(data).__name__}. Make one with "
            "GroupedData.from_estimates, .from_counts, .from_arms, .from_events or .from_rows."
        )
    if model.name == "partial" and len(data.groups) < 2:
        raise DataError(
            f"Partial pooling cannot learn how much groups differ (tau) from the single group "
            f"{data.groups[0]!r}. Use CompletePooling, or data with more groups."
        )


def _adapt_delta(data: GroupedData, program: Program, priors: Collection[str]) -> float:
    integrated = "draw_theta" in program.code and not program.edited
    if integrated and nearly_normal(data, priors):
        return ADAPT_DELTA_NORMAL
    return next(delta for least, delta in ADAPT_DELTA.items() if len(data.groups) > least)


def _random_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0] % (2**31 - 1)) + 1

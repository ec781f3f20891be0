"""What the three poolings share: priors, program, and how a fit is run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypedDict

import numpy as np

from hierstan.data.degenerate import check_variation
from hierstan.data.grouped_data import GroupedData
from hierstan.engines import Settings, get_engine
from hierstan.errors import DataError, PriorError
from hierstan.families import FAMILIES
from hierstan.fit.fit import Fit
from hierstan.models.edited_templates import check_consistency
from hierstan.models.given_priors import check_prior
from hierstan.models.plan import make_plan
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling import run


class RunOptions(TypedDict, total=False):
    """What `Pooling.fit` takes beside data and seed."""

    chains: int
    warmup: int | None
    draws: int
    adapt_delta: float | None
    engine: str
    progress: bool
    prior_only: bool


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
    page: ClassVar[str]  # of stan/, and the page where something is known of the groups
    structured_page: ClassVar[str | None] = None
    treatment_page: ClassVar[str]  # and where a treatment has effects on them
    baseline_parameters: ClassVar[tuple[str, ...]] = ("intercept", "spread")  # there
    own_parameters: ClassVar[tuple[str, ...]]
    has_population: ClassVar[bool] = False  # whose spread tau is estimated
    stands_alone: ClassVar[bool] = False  # each group, and learns nothing from the others
    shares_mean: ClassVar[bool] = (
        False  # the groups differ by what is known of them, if by anything
    )

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
        data = self.described(data)
        family = FAMILIES[data.family]
        own: list[str] = []
        for name in self.own_parameters:
            if name == "tau_level":
                own += data.tau_names
            elif name != "beta" or data.predictors is not None:
                own.append(name)
        return (*own, *self.baseline_parameters * family.treatment, *family.parameters)

    def takes(self, data: GroupedData) -> tuple[str, ...]:
        """Return the names under which priors can be given: ``tau_level`` is that of all factors.

        Examples
        --------
        >>> import hierstan as hs
        >>> dyes = hs.load_dataset("dyes")
        >>> data = hs.GroupedData.from_rows(dyes, group="batch", outcome="yield")
        >>> hs.CompletePooling().takes(data)
        ('mu', 'sigma')
        """
        names = self.prior_names(data)
        several = any(name in names for name in self.described(data).tau_names)
        return (*names, "tau_level") if several and "tau_level" not in names else names

    def described(self, data: GroupedData) -> GroupedData:
        """Return the data with those of their factors that the model uses.

        Examples
        --------
        >>> import hierstan as hs
        >>> dyes = hs.load_dataset("dyes")
        >>> data = hs.GroupedData.from_rows(dyes, group="batch", outcome="yield")
        >>> hs.NoPooling().described(data) is data
        True
        """
        return data

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
        data = self.described(data)
        valid = self.prior_names(data)
        given = dict(self.priors or {})
        unknown = sorted(set(given) - set(self.takes(data)))
        if unknown:
            raise PriorError(
                f"{type(self).__name__} of {data.family} data has no parameter "
                f"{', '.join(map(repr, unknown))}. Valid names are "
                f"{', '.join(sorted(self.takes(data)))}."
            )
        family = FAMILIES[data.family]
        defaults = family.default_priors(data.cells, alone=self.stands_alone)
        for name in data.tau_names:
            defaults[name] = given.get("tau_level", defaults["tau"])
        found = {name: given.get(name, defaults[name]) for name in valid}
        _check_one_kind({name: found[name] for name in data.tau_names if name in found})
        return found

    def page_for(self, data: GroupedData) -> str:
        """Return the name of the page of ``stan/`` that these data are fitted with.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> hs.PartialPooling().page_for(data)
        'partial_pooling'
        """
        if FAMILIES[data.family].treatment:
            return self.treatment_page
        known = self.described(data).stan_data()
        structured = known.get("K", 0) + known.get("F", 0) > 0
        return self.structured_page if structured and self.structured_page else self.page

    def program(self, data: GroupedData) -> Program:
        """Return the rendered Stan program that `fit` samples from.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> hs.NoPooling().program(data).edited
        False
        """
        return make_plan(self, data).program

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
        warmup: int | None = None,
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
        chains, draws : int
            Number of chains, and of kept draws in each.
        warmup : int, optional
            Number of draws in each chain before these, while the sampler adapts. By default 1,000;
            149 for more than 500 groups or rows that determine how they vary, and 400 or 600 of
            these where not every parameter is sampled in units of its own uncertainty.
        seed : int, optional
            From 1 to 2^31 - 1. The same seed on the same engine gives the same draws; without one,
            a random one is taken and kept in ``fit.seed``.
        adapt_delta : float, optional
            Target acceptance rate, in (0, 1); raise it towards 1 when there are divergences. By
            default 0.9, and 0.85, 0.8 and 0.7 above 100, 1,000 and 3,000 groups: the best rate
            falls towards 0.65 with their number (Beskos et al. 2013, doi:10.3150/12-BEJ414). Where
            the group means are integrated out, 0.7 once the data determine the other parameters,
            and 0.6 with more than 100 levels of factors; 0.6 also for at most 100 groups whose
            more than 500 rows do.
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
        check_data(data, "fit")
        _check_groups(data, self)
        data = self.described(data)
        if not prior_only:
            check_variation(data)
        plan = make_plan(self, data, prior_only=prior_only)
        settings = Settings(
            chains=chains,
            warmup=plan.warmup if warmup is None else warmup,
            draws=draws,
            seed=_random_seed() if seed is None else seed,
            adapt_delta=plan.adapt_delta if adapt_delta is None else adapt_delta,
            progress=progress,
        )
        check_consistency(plan)
        chosen = get_engine(engine)
        sampled, settings, note = run.run(plan, chosen, settings, mend=self.mends)
        fit = Fit(
            model=self,
            data=data,
            kept=sampled,
            priors=dict(plan.priors),
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
            integrated=plan.integrated,
            parameterization=plan.parameterization,
            prior_only=prior_only,
            note=note,
        )
        kept = run.keeps_theta(plan, settings.chains * settings.draws)
        if plan.integrated and kept and not fit.keeps_theta:
            fit.keep_theta()
        return fit

    mends: ClassVar[bool] = True  # whether a run that had trouble is repeated with smaller steps

    def way(
        self,
        data: GroupedData,
        priors: Mapping[str, Prior],
        *,
        edited: bool = False,
        prior_only: bool = False,
    ) -> str | None:
        """Return how ``theta`` is sampled: ``"marginal"`` if it is integrated out, and so on.

        `edited` says that the page or the family differ from those that hierstan ships.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> model = hs.NoPooling()
        >>> model.way(data, model.resolve_priors(data))
        'marginal'
        """
        return None


def check_data(data: object, verb: str) -> None:
    """Refuse what is no `GroupedData`."""
    if not isinstance(data, GroupedData):
        raise DataError(
            f"{verb} takes a GroupedData, got {type(data).__name__}. Make one with "
            "GroupedData.from_estimates, .from_counts, .from_trial, .from_events or .from_rows."
        )


# internals ------------------------------------------------------------------------------------


def _check_groups(data: GroupedData, model: Pooling) -> None:
    if model.has_population and len(data.groups) < 2:
        raise DataError(
            f"Partial pooling cannot learn how much groups differ (tau) from the single group "
            f"{data.groups[0]!r}. Use CompletePooling, or data with more groups."
        )


def _check_one_kind(priors: Mapping[str, Prior]) -> None:
    """Refuse priors of several kinds for the factors' sds, which are one vector in Stan."""
    kinds = {type(prior) for prior in priors.values()}
    if len(kinds) > 1:
        told = ", ".join(f"{name}: {prior}" for name, prior in priors.items())
        raise PriorError(
            f"The priors of the factors' sds must be of one kind, each with its own numbers; got "
            f"{told}. Give the others too, or tau_level for all of them."
        )


def _random_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0] % (2**31 - 1)) + 1

"""The three poolings: configuration in the constructor, data in `fit`, a new object as result."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import DataError, PriorError, TemplateError
from hierstan.families import FAMILIES
from hierstan.models.fits import Fits
from hierstan.models.pooling import Pooling, RunOptions, check_data
from hierstan.priors import Normal, Prior
from hierstan.sampling.grid import quicker

PARAMETERIZATIONS = ("auto", "centered", "noncentered", "marginal")


@dataclass(frozen=True, eq=False)
class CompletePooling(Pooling):
    """Complete pooling: the groups do not differ, ``theta[j] = mu``.

    Where something is known of them they differ by that alone: ``theta[j] = mu + x[j] * beta`` and
    what the levels of their factors add.

    Parameters
    ----------
    priors : mapping of str to Prior, optional
        For ``mu``, ``beta`` (the slopes of predictors), ``tau_region`` (the sd between the levels
        of a factor, named after it; ``tau_level`` for all of them) and the family's own parameters.
    template_dir : path-like, optional
        Folder of edited Stan templates, made by `copy_templates`.
    factors : list of str, optional
        A part of the data's factors; by default all of them.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.CompletePooling().fit(data, seed=1, engine="stanli")
    >>> bool(abs(fit.draws("mu").mean() - 7.7) < 1)
    True
    """

    factors: Sequence[Hashable] | None = None

    name: ClassVar[str] = "complete"
    page: ClassVar[str] = "complete_pooling"
    structured_page: ClassVar[str | None] = "structured_complete_pooling"
    treatment_page: ClassVar[str] = "treatment_complete_pooling"
    own_parameters: ClassVar[tuple[str, ...]] = ("mu", "beta", "tau_level")
    shares_mean: ClassVar[bool] = True

    def described(self, data: GroupedData) -> GroupedData:
        """Return the data with those of their factors that the model uses.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> cells = pd.DataFrame({"age": [1, 1, 2, 2], "sex": ["f", "m", "f", "m"],
        ...                       "sold": [3, 5, 2, 8], "seen": 20})
        >>> data = hs.GroupedData.from_counts(
        ...     cells, group=["age", "sex"], successes="sold", trials="seen"
        ... )
        >>> hs.CompletePooling(factors=["sex"]).described(data).tau_names
        ['tau_sex']
        """
        return data.with_factors(self.factors)


@dataclass(frozen=True, eq=False)
class NoPooling(Pooling):
    """No pooling: every group on its own, ``theta[j] ~ prior``. Predictors play no part.

    In the normal and lognormal families ``theta`` is drawn from its exact conditional distribution
    if its prior is normal and the templates were not edited, else sampled.

    Parameters
    ----------
    priors : mapping of str to Prior, optional
        For ``theta`` and the family's own parameters.
    template_dir : path-like, optional
        Folder of edited Stan templates, made by `copy_templates`.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.NoPooling().fit(data, seed=1, engine="stanli")
    >>> fit.draws("theta").shape
    (4000, 8)
    """

    name: ClassVar[str] = "none"
    page: ClassVar[str] = "no_pooling"
    treatment_page: ClassVar[str] = "treatment_no_pooling"
    own_parameters: ClassVar[tuple[str, ...]] = ("theta",)
    stands_alone: ClassVar[bool] = True

    def way(
        self,
        data: GroupedData,
        priors: Mapping[str, Prior],
        *,
        edited: bool = False,
        prior_only: bool = False,
    ) -> str | None:
        """Return ``"marginal"`` where theta is integrated out, else None.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> model = hs.NoPooling(priors={"theta": hs.Cauchy(0, 20)})
        >>> model.way(data, model.resolve_priors(data)) is None
        True
        """
        closed_form = FAMILIES[data.family].marginal and isinstance(priors["theta"], Normal)
        return "marginal" if closed_form and not edited and not prior_only else None


@dataclass(frozen=True, eq=False)
class PartialPooling(Pooling):
    """Partial pooling: the groups belong to one population, ``theta[j] ~ normal(mu, tau)``.

    What is known of a group moves its population's mean: ``theta[j] ~ normal(mu + x[j] * beta +
    u_region[region of j], tau)``, with ``u_region ~ normal(0, tau_region)`` for each factor.

    Parameters
    ----------
    priors : mapping of str to Prior, optional
        For ``mu``, ``tau``, ``beta`` (the slopes of predictors), ``tau_region`` (the sd between the
        levels of a factor, named after it; ``tau_level`` for all of them) and the family's own
        parameters. ``tau_region`` has the default of ``tau``.
    template_dir : path-like, optional
        Folder of edited Stan templates, made by `copy_templates`.
    parameterization : {"auto", "centered", "noncentered", "marginal"}
        How the sampler sees ``theta``; the posterior is the same. ``"marginal"`` integrates
        ``theta`` out: in closed form in normal and lognormal families, numerically of counts,
        events and rows of 0 and 1 without predictors, factors or covariates. ``"auto"`` takes the
        closed form, and the other with 100 groups or more where it is quicker, unless the templates
        were edited; elsewhere it centers each group as far as
        its own data say more about it than the population does, measuring ``theta[j]`` from where
        both together expect it (Papaspiliopoulos, Roberts and Sköld 2007,
        doi:10.1214/088342307000000014); a run with divergences or low E-BFMI is then repeated once
        with ``adapt_delta=0.99``, which ``fit.note`` says.
    factors : list of str, optional
        A part of the data's factors; by default all of them.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling(priors={"tau": hs.HalfCauchy(5)}).fit(data, seed=1, engine="stanli")
    >>> sorted(fit.priors)
    ['mu', 'tau']
    """

    parameterization: str = "auto"

    factors: Sequence[Hashable] | None = None

    name: ClassVar[str] = "partial"
    page: ClassVar[str] = "partial_pooling"
    structured_page: ClassVar[str | None] = "structured_pooling"
    treatment_page: ClassVar[str] = "treatment_pooling"
    baseline_parameters: ClassVar[tuple[str, ...]] = ("intercept", "slope", "spread")
    own_parameters: ClassVar[tuple[str, ...]] = ("mu", "beta", "tau_level", "tau")
    has_population: ClassVar[bool] = True

    def described(self, data: GroupedData) -> GroupedData:
        """Return the data with those of their factors that the model uses.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> cells = pd.DataFrame({"age": [1, 1, 2, 2], "sex": ["f", "m", "f", "m"],
        ...                       "sold": [3, 5, 2, 8], "seen": 20})
        >>> data = hs.GroupedData.from_counts(
        ...     cells, group=["age", "sex"], successes="sold", trials="seen"
        ... )
        >>> hs.PartialPooling(factors=["sex"]).described(data).tau_names
        ['tau_sex']
        """
        return data.with_factors(self.factors)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parameterization not in PARAMETERIZATIONS:
            raise PriorError(
                f"parameterization must be one of {', '.join(PARAMETERIZATIONS)}; "
                f"got {self.parameterization!r}."
            )

    @property
    def mends(self) -> bool:  # type: ignore[override]
        """Whether a run that had trouble is repeated with smaller steps.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.PartialPooling().mends, hs.PartialPooling(parameterization="centered").mends
        (True, False)
        """
        return self.parameterization == "auto"

    def way(
        self,
        data: GroupedData,
        priors: Mapping[str, Prior],
        *,
        edited: bool = False,
        prior_only: bool = False,
    ) -> str | None:
        """Return how theta is sampled; ``"auto"`` marginally, or measured by group ("mixed").

        Examples
        --------
        >>> import hierstan as hs
        >>> pumps = hs.load_dataset("pumps")
        >>> data = hs.GroupedData.from_events(
        ...     pumps, group="pump", events="failures", exposure="hours"
        ... )
        >>> model = hs.PartialPooling()
        >>> model.way(data, model.resolve_priors(data))
        'mixed'
        """
        family = FAMILIES[data.family]
        closed_form, plain = family.marginal, self.page_for(data) == self.page
        marginal = closed_form or (family.one_parameter and plain)
        if self.parameterization == "marginal" and not marginal:
            able = sorted(n for n, of in FAMILIES.items() if of.marginal and not of.treatment)
            alone = sorted(n for n, of in FAMILIES.items() if of.one_parameter)
            raise DataError(
                f"parameterization='marginal' needs a family whose group means can be integrated "
                f"out: in closed form ({', '.join(able)}), or numerically where nothing is known "
                f"of the groups ({', '.join(alone)}); these data are {data.family}. "
                "Use 'auto', 'centered' or 'noncentered'."
            )
        if self.parameterization == "marginal" and edited and (family.treatment or not closed_form):
            raise TemplateError(
                "parameterization='marginal' of these data samples the page that hierstan ships, "
                "and these templates are edited. Use parameterization='auto'."
            )
        if prior_only:
            return "noncentered"
        if self.parameterization != "auto":
            return self.parameterization
        if not edited and (closed_form or (marginal and quicker(data, priors))):
            return "marginal"
        return "mixed"


def fit_poolings(
    data: GroupedData,
    *,
    priors: Mapping[str, Prior] | None = None,
    seed: int | None = None,
    **options: Unpack[RunOptions],
) -> Fits:
    """Fit complete, no and partial pooling to the same data.

    Parameters
    ----------
    data : GroupedData
    priors : mapping of str to Prior, optional
        Each model takes those it has a parameter for.
    seed : int, optional
        Of each of the three.
    **options
        Given to `Pooling.fit`: ``chains``, ``warmup``, ``draws``, ``engine``, ….

    Returns
    -------
    Fits
        A dict, ``{"complete": …, "none": …, "partial": …}``, that prints the three side by side.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fits = hs.fit_poolings(data, seed=1, engine="stanli")
    >>> list(fits)
    ['complete', 'none', 'partial']
    """
    check_data(data, "fit_poolings")
    given = dict(priors or {})
    classes: tuple[type[Pooling], ...] = (CompletePooling, NoPooling, PartialPooling)
    names = {cls.name: cls().takes(data) for cls in classes}
    unknown = sorted(set(given) - {name for valid in names.values() for name in valid})
    if unknown:
        raise PriorError(
            f"No pooling of {data.family} data has a parameter {', '.join(map(repr, unknown))}. "
            f"Valid names are {', '.join(sorted({n for valid in names.values() for n in valid}))}."
        )
    return Fits(
        {
            cls.name: cls(priors={k: v for k, v in given.items() if k in names[cls.name]}).fit(
                data, seed=seed, **options
            )
            for cls in classes
        }
    )

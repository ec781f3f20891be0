"""The result of fitting: draws, data and what produced them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError, warn
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.fit import portrait
from hierstan.fit.cures import Setup
from hierstan.fit.fitted_model import FittedModel
from hierstan.fit.judgement import Judgement, judge
from hierstan.fit.once import Kept, once
from hierstan.fit.saving import file, records
from hierstan.fit.saving.labels import from_label
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.arrays import SAMPLE, Arrays, Sampled
from hierstan.sampling.convergence import Convergence, check_convergence
from hierstan.sampling.tree import VECTORS, coordinate, drawn, parts_of_groups
from hierstan.text.wording import pooling_words

if TYPE_CHECKING:
    import xarray as xr

    from hierstan.fit.checks import Checks
    from hierstan.fit.group_draws import GroupDraws

PLAIN = ("engine", "seed", "parameterization", "prior_only", "note")  # what JSON holds as it is


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted model.

    Attributes
    ----------
    model : CompletePooling, NoPooling or PartialPooling
        The configuration that was fitted.
    data : GroupedData
    kept : Sampled
        What was sampled, as plain arrays until a DataTree is asked for.
    priors : dict of str to Prior
        The priors as used, defaults included.
    engine : str
        The engine and its version.
    seed : int
    options : dict
        ``chains``, ``warmup``, ``draws`` and ``adapt_delta``.
    program : Program
        The Stan program that was sampled, as `stan_code` shows it.
    conditional : Program
        The same model as its page states it, with ``theta`` as a plain parameter.
    integrated : Program or None
        Where theta was integrated out: the program that describes it given all else.
    parameterization : str or None
        How partial pooling was sampled.
    prior_only : bool
    note : str
        What the user should know of how the draws came about; empty in most cases.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> fit.model.name, fit.seed, fit.parameterization
    ('partial', 1, 'marginal')
    >>> sorted(fit.idata.children)[:3]
    ['constant_data', 'log_likelihood', 'log_prior']
    >>> fit.family.link, "parameters {" in fit.stan_code
    ('identity', True)
    >>> fit.posterior["theta"].dims, fit.keeps_theta
    (('chain', 'draw', 'group'), True)
    """

    model: FittedModel
    data: GroupedData
    kept: Sampled
    priors: dict[str, Prior]
    engine: str
    seed: int
    options: Mapping[str, Any]
    program: Program
    conditional: Program
    integrated: Program | None = None
    parameterization: str | None = None
    prior_only: bool = False
    note: str = ""
    _kept: Kept = field(default_factory=dict, init=False)

    @property
    def family(self) -> Family:
        """The family of the data."""
        return FAMILIES[self.data.family]

    @property
    def idata(self) -> xr.DataTree:
        """All that ArviZ expects, as it expects it.

        posterior, sample_stats, log_likelihood, log_prior, posterior_predictive, observed_data and
        constant_data. With ``prior_only=True``: prior, prior_predictive and sample_stats_prior
        instead of the first five. The log likelihood and replicated outcomes of every row are
        computed when this is first asked for, up to 10 million values of each.

        The log likelihood is conditional on the groups' means: what ArviZ's ``loo`` makes of it
        leaves out an observation of a group whose mean it has helped to estimate, and is not what
        `hierstan.loo` says; for that, give ArviZ `hierstan.integrated_log_likelihood`.

        ``log_prior`` has the log prior density of each parameter, for ArviZ's ``psense_summary``;
        there is none where an edited template may have priors of its own.
        """
        return once(self, (Fit.idata,), self._completed)

    @property
    def sampled(self) -> xr.DataTree:
        """What was sampled: `idata` without what is computed from it when it is asked for.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> "log_likelihood" in fit.sampled.children, "posterior" in fit.sampled.children
        (False, True)
        """
        return self.kept.tree

    @property
    def stan_code(self) -> str:
        """The Stan program that was sampled."""
        return self.program.code

    @property
    def posterior(self) -> xr.Dataset:
        """The draws: the posterior, or the prior for a fit with ``prior_only=True``."""
        return self.sampled["prior" if self.prior_only else "posterior"].to_dataset()

    @property
    def arrays(self) -> Arrays:
        """The same draws as plain arrays, by name: each of shape (chains, draws, ...).

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.arrays["theta"].shape
        (4, 1000, 8)
        """
        return self.kept.arrays("prior" if self.prior_only else "posterior")

    @property
    def stats(self) -> Arrays:
        """The sampler's statistics as plain arrays, by name: each of shape (chains, draws).

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> int(fit.stats["diverging"].sum())
        0
        """
        return self.kept.arrays("sample_stats_prior" if self.prior_only else "sample_stats")

    def draws(self, name: str) -> np.ndarray:
        """Return the draws of one variable, chains concatenated.

        Parameters
        ----------
        name : str
            ``"mu"``, ``"tau"``, ``"theta"``, ``"theta_new"``, ``"sigma"``, ….

        Returns
        -------
        numpy.ndarray
            Of shape (S,), or (S, J) for ``theta``, on the link scale.

        Raises
        ------
        HierstanError
            If there is no such variable; lists those there are.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.draws("tau").shape, fit.draws("theta").shape
        ((4000,), (4000, 8))
        """
        arrays = self.arrays
        if name == "theta" and "theta" not in arrays:
            raise HierstanError(
                f"The draws of theta of {len(self.data.groups):,} groups are not kept. "
                "fit.theta(groups) makes those of some groups; hs.group_means(fit) summarises all."
            )
        composed = name in VECTORS and self.data.factors is not None
        if name not in arrays and not composed and name != self.family.log_name:
            raise HierstanError(
                f"This fit ({pooling_words(self.model.name)}) has no variable {name!r}. "
                f"It has {', '.join(sorted(arrays))}."
            )
        values = drawn(arrays, self.data, name)
        return values.reshape(-1, *values.shape[2:])

    @property
    def keeps_theta(self) -> bool:
        """Whether the draws of theta are kept, or made when they are asked for.

        Models that integrate theta out keep up to 20 million of them (5,000 groups at 4,000 draws),
        numerically 50 million, and so does complete pooling. With more groups, `theta` draws from
        the exact conditional distributions, and where these are normal `hierstan.group_means` and
        all that builds on it is computed from them instead; with complete pooling every group's
        draws are those of ``mu``.
        """
        return "theta" in self.arrays

    def theta(
        self,
        groups: slice | np.ndarray = slice(None),
        draws: slice | np.ndarray = slice(None),
    ) -> np.ndarray:
        """Return draws of group means, some groups and draws at a time.

        Parameters
        ----------
        groups : slice or array of int
            Positions of the groups.
        draws : slice or array of int
            Positions of the draws, chains concatenated.

        Returns
        -------
        numpy.ndarray
            Of shape (s, K), on the link scale. The same draws every time, kept or not.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.theta(groups=slice(0, 2)).shape
        (4000, 2)
        """
        if self.keeps_theta:
            values = self.arrays["theta"]
            flat = values.reshape(-1, values.shape[-1])
            return flat[draws][:, groups]
        chosen = np.arange(len(self.data.groups))[groups]
        if self.model.shares_mean:
            mu = self.draws("mu")[draws]
            return np.broadcast_to(mu[:, None], (len(mu), len(chosen)))
        made = self.group_draws()
        return made.at(np.arange(made.size[0])[draws], chosen)

    def own(self, draws: slice | np.ndarray = slice(None)) -> dict[str, np.ndarray]:
        """Return draws of the family's own parameters, as its methods take them.

        Parameters
        ----------
        draws : slice or array of int
            Positions of the draws, chains concatenated.

        Returns
        -------
        dict of str to numpy.ndarray
            (s, 1), or (s, 1, size) of a vector; with ordered categories also their ``scores``.

        Examples
        --------
        >>> import hierstan as hs
        >>> dyes = hs.load_dataset("dyes")
        >>> data = hs.GroupedData.from_rows(dyes, group="batch", outcome="yield")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.own(draws=slice(0, 10))["sigma"].shape
        (10, 1)
        """
        found = {name: self.draws(name)[draws][:, None] for name in self.family.parameters}
        return {**found, "scores": self.data.scores} if self.family.scored else found

    def to_response(
        self, theta: np.ndarray, draws: slice | np.ndarray | None = slice(None)
    ) -> np.ndarray:
        """Return group means on the response scale, from the link scale.

        Parameters
        ----------
        theta : numpy.ndarray
            Of shape (s, ...), with one line for each draw.
        draws : slice or array of int, optional
            Positions of these draws, all by default; None for values that are no draws, which are
            taken at the posterior means of the family's own parameters.

        Examples
        --------
        >>> import hierstan as hs
        >>> pumps = hs.load_dataset("pumps")
        >>> data = hs.GroupedData.from_events(
        ...     pumps, group="pump", events="failures", exposure="hours"
        ... )
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.to_response(np.array([0.0]), draws=None)
        array([1.])
        """
        values = np.asarray(theta, dtype=float)
        if not self.family.scored:
            return self.family.to_response(values)
        if draws is None:
            own = {
                name: value if name == "scores" else value.mean(axis=0, keepdims=True)
                for name, value in self.own().items()
            }
            flat = values.reshape(1, -1)
        else:
            own, flat = self.own(draws), values.reshape(len(values), -1)
        return self.family.to_response(flat, own).reshape(values.shape)

    def group_draws(self) -> GroupDraws:
        """Return what makes the draws of theta, for a fit that does not keep them.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.group_draws().at(np.arange(2), np.arange(8)).shape
        (2, 8)
        """
        return once(self, (Fit.group_draws,), self._group_draws)

    def keep_theta(self) -> None:
        """Draw theta where it was integrated out, and keep it with the posterior.

        `Pooling.fit` does so unless the draws are too many to keep.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.keep_theta()
        >>> fit.keeps_theta
        True
        """
        arrays, groups = self.arrays, self.data.groups
        S = arrays.sizes["chain"], arrays.sizes["draw"]
        made = self.group_draws().at(np.arange(S[0] * S[1]), np.arange(len(groups)))
        labels = {"group": ("group", coordinate(groups)), **parts_of_groups(groups)}
        theta = Arrays({"theta": made.reshape(*S, -1)}, {"theta": (*SAMPLE, "group")}, labels)
        self.kept.replace("posterior", arrays.joined(theta))

    def convergence(self) -> Convergence:
        """Return the measures of convergence, computed once; `hierstan.diagnose` words them.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.convergence().divergences
        0
        """
        return once(self, (check_convergence,), lambda: check_convergence(self.arrays, self.stats))

    def judgement(self) -> Judgement:
        """Return whether to trust the draws, in words.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.judgement().problems
        ()
        """
        return once(self, (judge,), lambda: judge(self.convergence(), self._setup()))

    def checks(self) -> Checks:
        """Return what the model misses of the data, computed once; see `hierstan.check`.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.checks().messages
        ()
        """
        from hierstan.fit.checks import run_checks

        return once(self, (run_checks,), lambda: run_checks(self))

    def missed(self) -> tuple[str, ...]:
        """Return the messages of `checks`; none where an edited template replicates no data.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> hs.PartialPooling().fit(data, seed=1, engine="stanli").missed()
        ()
        """
        try:
            return () if self.prior_only else self.checks().messages
        except HierstanError:
            return ()

    def _completed(self) -> xr.DataTree:
        from hierstan.fit.pointwise import CONDITIONAL, log_prior, pointwise

        found = pointwise(self.sampled, self.data, self.priors, self.conditional, self.seed)
        for name, dataset in found.items():
            self.sampled[name] = dataset
        if not (self.prior_only or self.program.edited or "log_prior" in self.sampled.children):
            self.sampled["log_prior"] = log_prior(self.posterior, self.priors)
        if "log_likelihood" in self.sampled.children:
            self.sampled["log_likelihood"].attrs["conditional_on"] = CONDITIONAL
        return self.sampled

    def _group_draws(self) -> GroupDraws:
        from hierstan.fit.group_draws import GroupDraws

        structured = any(name.startswith("u_") for name in self.arrays)
        names = {*self.arrays, *(VECTORS if structured else ())}
        names |= {self.family.log_name} - {""}
        hyper = {name: self.draws(name) for name in sorted(names - {"theta"})}
        return GroupDraws(self.integrated, self.data, self.priors, hyper, self.seed)

    def _setup(self) -> Setup:
        return Setup(
            pooling=self.model.name,
            parameterization=self.parameterization,
            requested=getattr(self.model, "parameterization", None),
            warmup=self.options["warmup"],
            adapt_delta=self.options["adapt_delta"],
            priors=self.priors,
            own=("mu", "tau", "theta", *self.family.parameters),
            prior_only=self.prior_only,
            within=self.family.within if self._one_row_each() else "",
        )

    def _one_row_each(self) -> bool:
        partial = self.model.has_population and not self.prior_only
        return partial and self.data.n_rows == len(self.data.groups)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to a netCDF file; `hierstan.load` reads it.

        ArviZ reads the file too: ``xarray.open_datatree(path, engine="h5netcdf")``.

        Parameters
        ----------
        path : path-like
            An existing file is replaced once the new one is complete.

        Raises
        ------
        HierstanError
            If the file cannot be written, or if group labels are of a type that netCDF and JSON
            cannot carry.

        Examples
        --------
        >>> import tempfile, hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> path = f"{tempfile.mkdtemp()}/fit.nc"
        >>> fit.save(path)
        >>> str(hs.load(path)) == str(fit)
        True
        """
        file.write(path, self.packed())

    def packed(self) -> xr.DataTree:
        """Return all that `save` writes as one tree.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> "cells" in fit.packed().children
        True
        """
        try:
            tree = self.idata
        except HierstanError as error:
            warn(
                "What is saved holds the draws, but neither the log likelihood nor replicated "
                f"outcomes, which could not be computed: {error}"
            )
            tree = self.sampled
        return file.packed(tree, self.data, self._record())

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": {}}  # what is computed once holds handles of the engine

    def _record(self) -> dict[str, object]:
        if type(self.model).__module__ != "hierstan.models.poolings":
            raise HierstanError(
                f"Only hierstan's own models can be saved, not a {type(self.model).__qualname__}."
            )
        model = {field.name: getattr(self.model, field.name) for field in fields(self.model)}
        template_dir = model["template_dir"]
        return {
            "model": {
                **model,
                **_factors(model),
                "class": type(self.model).__name__,
                "priors": records.from_priors(model["priors"]),
                "template_dir": None if template_dir is None else os.fspath(template_dir),
            },
            "priors": records.from_priors(self.priors),
            "program": records.from_program(self.program),
            "conditional": records.from_program(self.conditional),
            "integrated": self.integrated and records.from_program(self.integrated),
            "options": dict(self.options),
            **{name: getattr(self, name) for name in PLAIN},
        }

    def __repr__(self) -> str:
        return portrait.one_line(self)

    def __str__(self) -> str:
        return portrait.page(self).text()

    def _repr_html_(self) -> str:
        return portrait.page(self).html()


# internals ------------------------------------------------------------------------------------


def _factors(model: Mapping[str, Any]) -> dict[str, object]:
    names = model.get("factors")
    return {} if names is None else {"factors": [from_label(name, "The factor") for name in names]}

"""A treatment in every group: the effects of one on outcomes of any family.

The outcomes are those of the family, whose file in ``stan/families/`` stays the same; a group has a
baseline and an effect, of which the pages ``stan/treatment_*.stan`` make the mean of each
observation. Group means, raw estimates and default priors are those of the effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.adjusted import Adjusted
from hierstan.families.family import NOTHING, Draws, Family
from hierstan.priors import Prior

TREATED = "treated"
AS_TOLD = {"successes": "events", "trials": "total"}  # as people call them in trials
ANYWHERE = ("intercept", "slope", "baseline")  # parameters that may be of either sign
ABSENT = {"n": 0, "raw": 0.0, "link": 0.0, "raw_se": np.inf, "link_se": np.inf}  # arm of a group
MEASURES = {  # as in `hierstan.data.measures`, and what their estimates are called
    "identity": ("MD", "mean difference"),
    "logit": ("OR", "log odds ratio"),
    "log": ("IRR", "log rate ratio"),
    "scores": ("OR", "log odds ratio"),
    "log mean": ("ROM", "log ratio of means"),
    "log median": ("ROM", "log ratio of means"),  # that of medians, as both arms have one sigma
}
ABSOLUTE = {  # what both arms' means differ by, and their ratio, where there is one
    "identity": ("MD", ""),
    "logit": ("RD", "RR"),
    "log": ("IRD", "IRR"),
    "scores": ("MD", "ROM"),
    "log mean": ("MD", "ROM"),
    "log median": ("MD", "ROM"),
}


class Treatment(Family):
    """Effects of a treatment on outcomes of the family `base`, on its link scale.

    Attributes
    ----------
    measure, difference, ratio : str
        What the effects are, and what the means of both arms have as their difference and their
        ratio (empty where there is none); keys of `hierstan.data.measures`.
    """

    base: ClassVar[Family]
    measure: ClassVar[str]
    difference: ClassVar[str]
    ratio: ClassVar[str]

    link = "identity"  # an effect on the link scale of the outcomes
    treatment = True

    @property
    def outcomes(self) -> Family:
        """The family that the treatment has effects on."""
        return self.base

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Location of all treated less that of all controls; scale of all outcomes."""
        treated, control = _arm(cells, 1), _arm(cells, 0)
        difference = 0.0
        if len(treated) and len(control):
            difference = self.base.location_scale(treated)[0] - self.base.location_scale(control)[0]
        return difference, self.base.location_scale(cells)[1]

    def default_priors(self, cells: pd.DataFrame, *, alone: bool = False) -> dict[str, Prior]:
        """Return every default prior; `alone`, the baselines keep to their own data as effects do.

        There ``theta`` of no pooling of the outcomes, ``Normal(m, s)``, says where the baselines
        are: ``intercept`` gets it, and ``spread`` ``InverseGamma(J, 2 J s)``, which weighs as much
        as the J groups do, which would have it small.
        """
        found = super().default_priors(cells)
        if not alone:
            return found
        control = _arm(cells, 0)
        wide = self.base.default_priors(control if len(control) else cells)["theta"]
        J = cells["group"].nunique()
        spread = priors.InverseGamma(J, 2 * J * wide.numbers()["scale"])
        return {**found, "intercept": wide, "spread": spread}

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return those of the outcomes, and of the baselines and how they go with the effects."""
        control = _arm(cells, 0)
        of_arm = self.base.default_priors(control if len(control) else cells)
        return {
            **self.base.own_priors(scale, cells),
            "intercept": of_arm["mu"],
            "slope": priors.Normal(0, 1),
            "spread": of_arm["tau"],
        }

    def starts(
        self, typical: Mapping[str, Prior], rng: np.random.Generator, cells: pd.DataFrame
    ) -> dict[str, np.ndarray]:
        """Return those of the outcomes' own parameters."""
        return self.base.starts(typical, rng, cells)

    def identified(self, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return draws without what nothing else depends on, as of the outcomes."""
        return self.base.identified(draws)

    def sizes_of(self, cells: pd.DataFrame) -> dict[str, int]:
        """Return the number of elements of the outcomes' vectors."""
        return self.base.sizes_of(cells)

    def collapsed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Reduce the rows of each arm of each group."""
        arms = self.base.collapsed(rows.assign(group=arm_of(rows)))
        return self.typed(_decoded(arms))

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Turn what the base's `collapse` made of each arm, coded by `arm_of`, into cells."""
        return self.typed(_decoded(self.base.finished(raw)))

    def single(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Write observations as cells of one row each."""
        return self.typed(self.base.single(rows).assign(**{TREATED: rows[TREATED].to_numpy()}))

    def slopes(self, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return those of the covariates within the arms of groups."""
        _, code = np.unique(arm_of(cells), return_inverse=True)
        assert isinstance(self.base, Adjusted)
        return self.base.slopes(cells.assign(group=code))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return what the rows of each arm say, the treatment first."""
        with np.errstate(divide="ignore", invalid="ignore"):
            treated, control = (
                self.base.summarised(_arm(cells, arm), J).rename(columns=AS_TOLD) for arm in (1, 0)
            )
        treated, control = treated.add_suffix("_treatment"), control.add_suffix("_control")
        absent = self._absent(cells, J)
        treated.loc[absent[:, 1]] = np.nan
        control.loc[absent[:, 0]] = np.nan
        return treated.join(control)

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Differences of the arms; their variance is the sum of the arms'.

        A group with one arm says nothing: it has no ``raw``, and its standard errors are infinite.
        """
        columns = ["n", "link", "link_se"]
        arms = self.raw_arms(cells, J)
        n, treated, treated_se = arms["treatment"][columns].to_numpy().T
        m, control, control_se = arms["control"][columns].to_numpy().T
        se = np.hypot(treated_se, control_se)
        effect = np.where(np.isfinite(se), treated - control, 0.0)
        return raw.table(n + m, np.where(np.isfinite(se), effect, np.nan), se, effect, se)

    def raw_arms(self, cells: pd.DataFrame, J: int) -> dict[str, pd.DataFrame]:
        """Return the base's raw estimates of both arms of each group, (J,) lines each.

        An arm that a group lacks has estimate 0 with an infinite standard error.
        """
        present, codes = np.unique(arm_of(cells), return_inverse=True)
        found = self.base.raw_estimates(cells.assign(group=codes), len(present))
        arms: dict[str, dict[str, np.ndarray]] = {"control": {}, "treatment": {}}
        for name in map(str, found):
            own, absent = found[name].to_numpy(), ABSENT.get(name, np.nan)
            every = np.full(2 * J, absent, dtype=np.result_type(own, absent))
            every[present] = own
            arms["control"][name], arms["treatment"][name] = every[::2], every[1::2]
        return {arm: pd.DataFrame(columns) for arm, columns in arms.items()}

    def sizes(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return how much data each group has, both arms together."""
        return self.base.sizes(cells, J)

    def weights(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return those of the control and the treated arm of each group, (J, 2, ...)."""
        arms = [self.base.weights(_arm(cells, treated), J) for treated in (0, 1)]
        return np.stack(arms, axis=1)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """One over the sum of both arms' variances; `own` has the ``baseline`` too."""
        baseline = own["baseline"]
        control = self.base.information(baseline, weights[:, 0], own)
        treated = self.base.information(baseline + theta, weights[:, 1], own)
        return of_difference(control, treated)

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each cell as a normal density in the mean of its arm."""
        return self.base.as_normal(cells, own)

    def log_of_group(
        self, cells: pd.DataFrame, J: int, own: Draws = NOTHING
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what the rows of both arms say, each around its own mean."""
        return self.base.log_of_group(cells, J, own)

    def without_each(self, rows: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return the cell that is left of the arm of each row without it, of count 0 if none."""
        arms = rows.assign(group=arm_of(rows))
        return _decoded(self.base.without_each(arms, 2 * J))

    def log_ways(self, cells: pd.DataFrame) -> np.ndarray:
        """Return that of the outcomes."""
        return self.base.log_ways(cells)

    def means(self, link: np.ndarray, own: Draws) -> np.ndarray:
        """Return the mean of the outcomes of an arm, from its place on the link scale.

        Parameters
        ----------
        link : numpy.ndarray
            Draws, (S, K).
        own : mapping
            Draws of the family's own parameters, (S, 1) each.
        """
        return self.base.to_response(link + self.base.mean_offset(own), own)

    def places(self, means: np.ndarray, own: Draws) -> np.ndarray:
        """Return the places on the link scale of arms with these means, (K,), as (S or 1, K)."""
        return np.atleast_2d(self.base.to_link(means, own)) - self.base.mean_offset(own)

    def _absent(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        return np.bincount(arm_of(cells), minlength=2 * J).reshape(J, 2) == 0


def sets_of(family: Family, rows: pd.DataFrame) -> np.ndarray:
    """Return the number of the set of rows that each belongs to, those of one mean, (N,)."""
    return arm_of(rows) if isinstance(family, Treatment) else rows["group"].to_numpy()


def arm_of(cells: pd.DataFrame) -> np.ndarray:
    """Return the number of each cell's arm: a group's come together, the control first."""
    return 2 * cells["group"].to_numpy() + cells[TREATED].to_numpy().astype(np.int64)


def of_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return what is known of a difference, one over its variance, given that of both parts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((one > 0) & (other > 0), 1 / (1 / one + 1 / other), 0.0))


def effects_on(base: Family) -> Treatment:
    """Return the family of the effects that a treatment has on outcomes of another family.

    Examples
    --------
    >>> from hierstan.families import FAMILIES
    >>> from hierstan.families.treatment import effects_on
    >>> effects_on(FAMILIES["binomial"]).mean_words
    'log odds ratio'
    """
    kind = f"log {base.mean_words}" if base.positive else "scores" if base.scored else base.link
    measure, words = MEASURES[kind]
    difference, ratio = ABSOLUTE[kind]
    attributes = {
        "base": base,
        "measure": measure,
        "difference": difference,
        "ratio": ratio,
        "name": f"{base.name}_treatment",
        "file": base.file or base.name,
        "vectors": base.vectors,
        "adjusted": base.adjusted,
        "words": f"two arms; {base.words}",
        "distribution": base.distribution,
        "columns": {**base.columns, TREATED: "real"},
        "takes": {},
        "observation": {**base.observation, TREATED: 1},
        "size": base.size,
        "unit": base.unit,
        "predicted_size": base.predicted_size,
        "per": base.per,
        "collapses": base.collapses,
        "constants": base.constants,
        "parameters": base.parameters,
        "parameter_dims": base.parameter_dims,
        "of_group": base.of_group,
        "within": base.within,
        "unbounded": base.unbounded,
        "gaussian": base.gaussian,
        "marginal": base.marginal,
        "lower_bounds": {**base.lower_bounds, **dict.fromkeys(ANYWHERE, -np.inf)},
        "natural": base.natural,
        "scored": base.scored,
        "mean_words": words,
        "bounded": base.bounded,
        "checks": base.checks,
    }
    made: Treatment = type(f"{type(base).__name__}Treatment", (Treatment,), attributes)()
    return made


# internals ------------------------------------------------------------------------------------


def _arm(cells: pd.DataFrame, treated: int) -> pd.DataFrame:
    return cells[cells[TREATED] == treated]


def _decoded(arms: pd.DataFrame) -> pd.DataFrame:
    code = arms["group"].to_numpy()
    return arms.assign(group=code // 2, **{TREATED: (code % 2).astype(float)})

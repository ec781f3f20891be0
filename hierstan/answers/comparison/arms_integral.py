"""The likelihood of two arms with baselines and effects integrated out, draw by draw.

An arm's likelihood is a function of its own mean alone (see `curves`), and the means of both arms
are bivariate normal given the population: see `arms_quadrature`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from hierstan.answers.comparison.arm_means import ArmMeans, whereabouts
from hierstan.answers.comparison.arms_quadrature import (
    MORE_NODES,
    NODES,
    Arms,
    Population,
    log_sum,
)
from hierstan.answers.comparison.curves import Curves, Pair, in_parts, over_draws, totals
from hierstan.answers.comparison.integral import (
    APART,
    BOUNDED,
    DOMINANT,
    PROBES,
    LogRatio,
)
from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.families import FAMILIES
from hierstan.families.treatment import Treatment, arm_of
from hierstan.fit.centers import centers
from hierstan.priors import Normal, Prior, Uniform
from hierstan.programs.program import Program

KNOTS = {True: 401, False: 161}  # of curves that are the same at every draw, or not
MAX_VALUES = 2**24  # knots x draws x arms at a time
MAX_TABLE = 2**22  # draws x rows x knots that the program evaluates at a time
CACHED = 2**17  # knots x draws x rows that a processor keeps at hand
IQR = 1.349  # of a standard normal
LATENT = ("baseline", "theta")


class ArmsIntegral:
    """Log predictive density of every unit of two arms, at any draws; as `GroupIntegral`.

    Parameters
    ----------
    program : Program
        As hierstan ships it, with ``baseline`` among its parameters and, unless it follows from
        others, ``theta``.
    priors : mapping of str to Prior
    data : GroupedData
    unit : {"observation", "arm", "group"}
    log_ratio : callable, optional
        See `hierstan.answers.comparison.integral.GroupIntegral`.
    """

    def __init__(
        self,
        program: Program,
        priors: Mapping[str, Prior],
        data: GroupedData,
        unit: str,
        log_ratio: LogRatio | None = None,
    ) -> None:
        if isinstance(priors.get("theta"), Uniform):
            raise HierstanError(BOUNDED)
        self._program, self._priors, self._data, self._ratio = program, priors, data, log_ratio
        self._unit, self._by_row = unit, unit == "observation"
        frame = data.rows if self._by_row else data.cells
        assert frame is not None
        self._frame, self._arms = frame, np.unique(arm_of(frame))
        family = FAMILIES[data.family]
        assert isinstance(family, Treatment)
        self._base, self._shared = family.base, not family.parameters
        self._center, self._width = whereabouts(data)
        self._kept: dict[int, Pair] = {}  # what is the same at all draws
        self._nodes: dict[tuple[bool, bool], np.ndarray] = {}  # by group; 0 where not known

    def __call__(self, hyper: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return it at draws of every parameter but those of groups, (S, ...): (S, units)."""
        S, J = len(hyper["intercept"]), len(self._data.groups)
        population = _population(self._data, self._priors, hyper)
        group = self._frame["group"].to_numpy()
        units = {"observation": len(self._frame), "arm": len(self._arms), "group": J}
        found = np.empty((S, units[self._unit]))
        knots = KNOTS[self._shared] * (1 if self._shared else S)
        width = max(1, MAX_VALUES // (2 * knots))
        for start in range(0, J, width):
            groups = np.arange(start, min(start + width, J))
            rows = np.flatnonzero((group >= start) & (group < start + width))
            both = self._both(groups, rows, hyper, population)
            if self._by_row:
                found[:, rows] = self._of_rows(both, rows, start, hyper)
            elif self._unit == "arm":
                arms = np.flatnonzero(np.isin(self._arms // 2, groups))
                found[:, arms] = self._of_arms(both, arms, start)
            else:
                found[:, groups] = self._log_integral(both, groups, groups)
        return found

    # internals ----------------------------------------------------------------------------------

    def _both(
        self,
        groups: np.ndarray,
        rows: np.ndarray,
        hyper: Mapping[str, np.ndarray],
        population: Population,
    ) -> Arms:
        """Return the integrands of some groups; an arm without data is flat, or absent in all."""
        key = int(groups[0])
        if key not in self._kept:
            frame, codes = self._frame.iloc[rows], np.arange(2 * key, 2 * groups[-1] + 2)
            if self._base.known and not self._program.edited:  # all rows of an arm: equal ones once
                cells = self._data.cells
                frame = cells[np.isin(cells["group"].to_numpy(), groups)]
            curves = self._curves(frame, arm_of(frame) - 2 * key, codes, hyper)
            of_arm = curves.pair(np.isin(codes, self._arms))
            self._kept = {**self._kept, key: of_arm} if self._shared else {}
        else:
            of_arm = self._kept[key]
        return Arms(of_arm, population.of(groups))

    def _curves(
        self,
        frame: pd.DataFrame,
        arm: np.ndarray,
        codes: np.ndarray,
        hyper: Mapping[str, np.ndarray],
    ) -> Curves:
        """Tabulate the log likelihood of all rows of each arm, on the grid of its code."""
        order = np.argsort(arm, kind="stable")
        frame, arm = frame.iloc[order], arm[order]
        of_arms = totals(arm, len(codes))
        N, A, S = len(frame), len(codes), 1 if self._shared else len(hyper["intercept"])
        draws = {k: v[:S] for k, v in hyper.items()}
        base, own = self._base, {name: draws[name][:, None] for name in self._base.parameters}
        center, width = self._center[codes], self._width[codes]

        if base.known and not self._program.edited:
            cells, size = base.floats(frame), KNOTS[self._shared]
            at_once = max(1, CACHED // (size * max(N, 1)))  # draws, that all have the same rows

            def tabulate(own: Mapping[str, np.ndarray]) -> np.ndarray:
                return Curves.tabulated(
                    lambda knots: of_arms(base.log_lik(cells, knots[:, None, arm], own)),
                    center, width, size, max(1, CACHED // (at_once * max(N, 1))),
                ).values  # fmt: skip

            return Curves(center, width, over_draws(in_parts(tabulate, at_once), own))
        at_once = int(np.clip(MAX_TABLE // (S * max(N, 1)), 1, KNOTS[self._shared]))
        rows = np.tile(np.arange(N), at_once)
        arms = np.tile(arm, at_once) + A * np.repeat(np.arange(at_once), N)
        at = ArmMeans(self._program, self._priors, self._data, frame.iloc[rows], arms, A * at_once)

        def log_lik(knots: np.ndarray) -> np.ndarray:
            padded = knots[np.minimum(np.arange(at_once), len(knots) - 1)]
            values = at(padded.ravel(), draws).reshape(S, at_once, N)
            return of_arms(values.swapaxes(0, 1)[: len(knots)])

        return Curves.tabulated(log_lik, center, width, KNOTS[self._shared], at_once)

    def _of_arms(self, both: Arms, units: np.ndarray, start: int) -> np.ndarray:
        """Return the log density of all rows of an arm given those of the other one."""
        code = self._arms[units]
        group, rest = code // 2, np.zeros((both.size, len(units)))
        for a in (0, 1):
            mine = np.flatnonzero((code % 2 == a) & np.isin(code ^ 1, code))
            if mine.size:
                left = both.take(group[mine] - start).only(1 - a)
                rest[:, mine] = self._log_integral(left, group[mine], units[mine])
        return self._log_integral(both.take(group - start), group, units) - rest

    def _of_rows(
        self, both: Arms, rows: np.ndarray, start: int, hyper: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return the log density of each row given the others of its group."""
        frame = self._frame.iloc[rows]
        code = arm_of(frame) - 2 * start
        group, treated = code // 2, code % 2
        count = np.bincount(code, minlength=2 * len(both.population.center[0]))
        whole, rest = (np.empty((both.size, len(rows))) for _ in range(2))
        single = np.flatnonzero(count[code] == 1)
        if single.size:
            own = both.take(group[single])
            whole[:, single] = self._log_integral(own, group[single] + start, rows[single])
        for a in (0, 1):
            mine = np.flatnonzero((count[code] > 1) & (treated == a))
            if mine.size:
                part = self._of_shared(both, a, mine, group, rows, start, hyper)
                whole[:, mine], rest[:, mine] = part
            alone = single[treated[single] == a]
            has = count[2 * group[alone] + 1 - a] > 0
            rest[:, alone[~has]] = 0.0
            alone = alone[has]
            if alone.size:
                left = both.take(group[alone]).only(1 - a)
                rest[:, alone] = self._log_integral(left, group[alone] + start, rows[alone])
        return whole - rest

    def _of_shared(
        self,
        both: Arms,
        a: int,
        mine: np.ndarray,
        group: np.ndarray,
        rows: np.ndarray,
        start: int,
        hyper: Mapping[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log integrals with and without each of some rows of an arm that has others."""
        frame, own, index, ratio = self._frame.iloc[rows[mine]], both, group[mine], self._ratio
        if ratio is not None:
            own, index = both.take(index), np.arange(len(mine))
        means, log_weight = own.marginal(a, ratio, rows[mine])
        rest, moved = self._rest(means, log_weight, index, frame, hyper)
        far = np.flatnonzero(moved)
        if far.size:
            codes = 2 * (group[mine[far]] + start) + a
            its = self._curves(frame.iloc[far], np.arange(len(far)), codes, hyper)
            left = both.take(group[mine[far]]).less(a, its)
            rest[:, far] = left.log_integral(ratio, rows[mine[far]])
        return log_sum(log_weight)[:, index], rest

    def _log_integral(self, arms: Arms, groups: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Return log integrals, (S, F), with more nodes for groups where a few draws ask for them.

        A wide population and an arm without events, or with nothing else, make them lopsided.
        """
        known = self._nodes.setdefault(arms.present, np.zeros(len(self._data.groups), dtype=int))
        _, first = np.unique(np.where(known[groups] == 0, groups, -1), return_index=True)
        new = first[known[groups[first]] == 0]
        if new.size:
            known[groups[new]] = arms.take(new).nodes_needed(self._ratio, units[new])
        found = np.empty((arms.size, len(groups)))
        for nodes in (NODES, *MORE_NODES):
            some = np.flatnonzero(known[groups] == nodes)
            if some.size:
                part = replace(arms.take(some), nodes=nodes)
                found[:, some] = part.log_integral(self._ratio, units[some])
        return found

    def _rest(
        self,
        means: np.ndarray,
        log_weight: np.ndarray,
        index: np.ndarray,
        frame: pd.DataFrame,
        hyper: Mapping[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log integrals without each row at the nodes with it, and where they fail."""
        F = means.shape[2]
        total = np.full((means.shape[1], len(frame)), -np.inf)
        at = ArmMeans(self._program, self._priors, self._data, frame, index, F)
        few = np.unique(np.linspace(0, len(total) - 1, PROBES).astype(int))
        near = []
        for k in range(NODES):
            log_lik = at(means[k], hyper)
            total = np.logaddexp(total, log_weight[k][:, index] - log_lik)
            if abs(k - NODES // 2) <= 1:
                near.append(log_lik[few])
        step = np.polynomial.hermite_e.hermegauss(NODES)[0][NODES // 2 + 1]
        behind, here, ahead = near
        slope, share = (ahead - behind) / (2 * step), (2 * here - ahead - behind) / step**2
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs(slope) / np.sqrt(1 - share)
        return total, ~((share < DOMINANT) & (away < APART)).all(axis=0)


# internals ------------------------------------------------------------------------------------


def _population(
    data: GroupedData, priors: Mapping[str, Prior], hyper: Mapping[str, np.ndarray]
) -> Population:
    """Return what the pages say of baselines and effects, at each draw."""
    shape = len(hyper["intercept"]), len(data.groups)
    intercept, spread = hyper["intercept"][:, None], hyper["spread"][:, None]
    slope, prior = hyper.get("slope", np.zeros(1))[:, None], None
    if "theta" in priors:
        low, middle, high = priors["theta"].quantile(np.array([0.25, 0.5, 0.75]))
        center, tau = np.array(middle), np.array((high - low) / IQR)
        prior = priors["theta"]
        if isinstance(prior, Normal):
            center, tau, prior = np.array(prior.location), np.array(prior.scale), None
    else:
        center = centers(data, hyper)
        tau = hyper["tau"][:, None] if "tau" in priors else np.zeros(1)
    full = [np.broadcast_to(values, shape) for values in (center, tau, slope, intercept, spread)]
    center, tau, slope, intercept, spread = full
    means = np.array([intercept + slope * center, intercept + (1 + slope) * center])
    root = np.array([[slope * tau, spread], [(1 + slope) * tau, spread]])
    fixed = "theta" not in priors and "tau" not in priors
    return Population(means, root[:, 1:] if fixed else root, np.array([center, tau]), prior)

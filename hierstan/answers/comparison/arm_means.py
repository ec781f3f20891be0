"""Arms of groups: about where their means are, and the log likelihood of their rows given these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.treatment import TREATED, Treatment
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.approximation import arms_near
from hierstan.sampling.inputs import stan_data

LOST = 0.04  # of what an arm says alone: its normal approximation is off its likelihood


class ArmMeans:
    """The program's log likelihood of rows, given the mean of the arm that each belongs to.

    Parameters
    ----------
    program : Program
    priors : mapping of str to Prior
    data : GroupedData
    frame : pandas.DataFrame
        The rows.
    arm : numpy.ndarray
        The arm of each, (N,).
    A : int
        How many arms there are.
    """

    def __init__(
        self,
        program: Program,
        priors: Mapping[str, Prior],
        data: GroupedData,
        frame: pd.DataFrame,
        arm: np.ndarray,
        A: int,
    ) -> None:
        from hierstan.engines.stanli import Evaluator

        none = np.zeros(0, dtype=np.int32)
        entries = {
            **stan_data(data, priors, pointwise=True, replicate=False),
            **FAMILIES[data.family].entries(frame),
            **{"J": A, "N": len(frame), "group": (arm + 1).astype(np.int32)},
            **{"K": 0, "x": np.zeros((A, 0)), "x_new": np.zeros(0), "F": 0, "L": 0},
            **{"factor": none, "level": np.zeros((0, A), np.int32), "level_new": none},
            TREATED: np.zeros(len(frame)),
        }
        entries |= {name: np.zeros(0) for name in entries if name.startswith("tau_level_")}
        self._evaluator = Evaluator(program, entries)
        self._points: np.ndarray | None = None

    def __call__(self, means: np.ndarray, hyper: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return log likelihoods (S, N) at means (A,) or (S, A)."""
        if self._points is None:
            S = len(hyper["intercept"])
            zero = {
                name: np.zeros((S, places.stop - places.start))
                for name, places in self._evaluator.parameters.items()
            }
            own = {name: hyper[name] for name in zero if name in hyper and name != "beta"}
            self._points = self._evaluator.unconstrained({**zero, **own})
        self._points[:, self._evaluator.parameters["baseline"]] = means
        return self._evaluator.written_at(self._points, ["log_lik"])["log_lik"]


def whereabouts(data: GroupedData) -> tuple[np.ndarray, np.ndarray]:
    """Return about where each arm's data put its mean, and how well, (2 J,): see `arm_of`.

    Arms that are all without events drag each other off to where they say nothing: there, what
    each says alone.
    """
    family, near, names = FAMILIES[data.family], arms_near(data), ("control", "treatment")
    assert isinstance(family, Treatment)
    raw = family.raw_arms(data.cells, len(data.groups))
    estimate, precision = (
        np.column_stack([near[n][part] for n in names]).ravel() for part in (0, 1)
    )
    link, link_se = (
        np.column_stack([raw[n][part].to_numpy() for n in names]).ravel()
        for part in ("link", "link_se")
    )
    far = precision < LOST / link_se**2
    estimate, precision = np.where(far, link, estimate), np.where(far, link_se**-2.0, precision)
    has = precision > 0
    width = np.full(len(has), np.median(precision[has]) ** -0.5)
    width[has] = precision[has] ** -0.5
    return np.where(has, estimate, np.median(estimate[has])), width

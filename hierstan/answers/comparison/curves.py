"""Log likelihoods as functions of a mean, from the Stan program's own values on a grid.

An observation's likelihood is a smooth function of one number, its linear predictor. Where that is
made of several parameters that are integrated out, a table of it takes the place of many
evaluations. Knots are dense where the data put the mean and sparse far away.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

LIKELIEST = 1e15  # a mean is at most so much less likely than the likeliest
REACH = 30.0  # of the grid on the link scale, and that many times the width besides
WIDTHS = 100.0
DIGITS = 1e8  # what interpolation between values of a family's parameters is off by, one in so many
EXACT = 5  # draws at which that is looked at
ALIKE = 1e-5  # and what it may be off by there, in units of the log likelihood and its fall


@dataclass(frozen=True)
class Curves:
    """A log likelihood for each draw and each of A arms, as a function of the arm's mean.

    Attributes
    ----------
    center, width : numpy.ndarray
        About where the data of each arm put its mean, and how well, (A,).
    values : numpy.ndarray
        On the grid, (G, S, A), or (G, 1, A) where it is the same at every draw.
    """

    center: np.ndarray
    width: np.ndarray
    values: np.ndarray

    @staticmethod
    def grid(center: np.ndarray, width: np.ndarray, size: int) -> np.ndarray:
        """Return the means at which a function is to be known, (G, A)."""
        u = np.linspace(-1, 1, size)[:, None] * _half(width)
        return np.asarray(center + width * np.sinh(u))

    @classmethod
    def tabulated(
        cls,
        log_lik: Callable[[np.ndarray], np.ndarray],
        center: np.ndarray,
        width: np.ndarray,
        size: int,
        at_once: int,
    ) -> Curves:
        """Tabulate a function that takes means (G, A) to values (G, S, A), some at a time."""
        grid = cls.grid(center, width, size)
        parts = [log_lik(grid[at : at + at_once]) for at in range(0, size, at_once)]
        values = np.concatenate(parts)
        values = np.where(np.isnan(values), -np.inf, values)
        best = values.max(axis=0)
        return cls(
            center, width, np.maximum(values, np.where(np.isfinite(best), best, 0) - LIKELIEST)
        )

    def take(self, arms: np.ndarray) -> Curves:
        """Return those of some arms, which may come several times."""
        return Curves(self.center[arms], self.width[arms], self.values.take(arms, axis=2))

    def pair(self, has: np.ndarray) -> Pair:
        """Return those of controls and of the treated, which take turns; None without data."""
        control, treated = (
            self.take(np.arange(a, len(has), 2)) if has[a::2].any() else None for a in (0, 1)
        )
        return control, treated

    def draws(self, some: slice | np.ndarray) -> Curves:
        """Return the same at some of the draws."""
        same = self.values.shape[1] == 1
        if same:
            return self
        return Curves(self.center, self.width, np.ascontiguousarray(self.values[:, some]))

    def without(self, part: Curves) -> Curves:
        """Return what is left without a part of the data, tabulated on the same grid."""
        return Curves(self.center, self.width, self.values - part.values)

    def __call__(self, means: np.ndarray) -> np.ndarray:
        """Return the log likelihoods at means (..., S, A)."""
        at, t, _ = self._place(means)
        return _summed(_lagrange(t), self._knots(at))

    def derivatives(self, means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log likelihoods and their first two derivatives at means (S, A)."""
        at, t, u = self._place(means)
        knots = self._knots(at)
        value = _summed(_lagrange(t), knots)
        knot = 2 * _half(self.width) / (len(self.values) - 1)
        first = _summed(_lagrange_slope(t), knots) / knot
        second = _summed(_lagrange_bend(t), knots) / knot**2
        stretch = self.width * np.cosh(u)
        return value, first / stretch, (second - first * np.tanh(u)) / stretch**2

    # internals ----------------------------------------------------------------------------------

    def _place(self, means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first of four knots around each mean, and where it lies between the middle."""
        half, most = _half(self.width), len(self.values) - 1
        u = np.clip(np.arcsinh((means - self.center) / self.width), -half, half)
        place = (u / half + 1) * most / 2
        at = np.clip(place.astype(int) - 1, 0, most - 3)
        return at, place - at - 1, u

    def _knots(self, at: np.ndarray) -> list[np.ndarray]:
        """Return the values at four knots, of which these are the first."""
        _, S, A = self.values.shape
        flat = self.values.reshape(-1)
        draws = np.arange(S)[:, None] * A if S > 1 else 0
        first = at * (S * A) + draws + np.arange(A)
        return [flat.take(first + k * S * A) for k in range(4)]


def totals(arm: np.ndarray, A: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what sums rows, (..., N), to their arms, (..., A); `arm` says which, in order."""
    present, first = np.unique(arm, return_index=True)

    def summed(values: np.ndarray) -> np.ndarray:
        total = np.zeros((*values.shape[:-1], A))
        if len(first):
            total[..., present] = np.add.reduceat(values, first, axis=-1)
        return total

    return summed


def in_parts(
    tabulate: Callable[[Mapping[str, np.ndarray]], np.ndarray], size: int
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Return the same function of draws, (G, s, A), that is asked for `size` of them at a time."""

    def whole(own: Mapping[str, np.ndarray]) -> np.ndarray:
        S = max(map(len, own.values()), default=1)
        parts = [
            tabulate({name: values[start : start + size] for name, values in own.items()})
            for start in range(0, S, size)
        ]
        return np.concatenate(parts, axis=1)

    return whole


def over_draws(
    tabulate: Callable[[Mapping[str, np.ndarray]], np.ndarray], own: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Tabulate a log likelihood at every draw of a family's own parameters.

    It is tabulated at a few Chebyshev points of their logarithms, between which its polynomial is
    as good (Trefethen 2013, Approximation Theory and Approximation Practice, theorem 8.2): of gamma
    functions and of ``log(1 + mean / phi)`` the nearest singularity is pi away from the real line.
    Where that takes no fewer points than there are draws, or a few draws disagree, at all of them.

    Parameters
    ----------
    tabulate : callable
        Takes parameters, (s, 1) each, to values (G, s, A).
    own : mapping of str to numpy.ndarray
        All draws, (S, 1) each.

    Returns
    -------
    numpy.ndarray
        (G, S, A).
    """
    sizes = {np.shape(values) for values in own.values()}
    if len(sizes) != 1 or len(next(iter(sizes))) != 2 or min(v.min() for v in own.values()) <= 0:
        return tabulate(own)
    S = len(next(iter(own.values())))
    rules = {name: _chebyshev(np.log(values[:, 0])) for name, values in own.items()}
    if 2 * np.prod([len(points) for points, _ in rules.values()]) > S:
        return tabulate(own)
    few = np.unique(np.linspace(0, S - 1, EXACT).astype(int))
    exact = tabulate({name: values[few] for name, values in own.items()})
    grid = np.array([*itertools.product(*(np.exp(points) for points, _ in rules.values()))])
    known = tabulate({name: grid[:, [d]] for d, name in enumerate(rules)})
    weights = np.ones((S, 1))
    for _, each in rules.values():
        weights = (weights[:, :, None] * each[:, None]).reshape(S, -1)
    with np.errstate(invalid="ignore"):
        off = np.abs(weights[few] @ known - exact)
        near = off <= ALIKE * (1 + exact.max(axis=0) - exact)
    return weights @ known if near.all() else tabulate(own)


Pair = tuple[Curves | None, Curves | None]


# internals ------------------------------------------------------------------------------------


def _half(width: np.ndarray) -> np.ndarray:
    return np.asarray(np.arcsinh(REACH / width + WIDTHS))


def _summed(weights: tuple[np.ndarray, ...], knots: list[np.ndarray]) -> np.ndarray:
    return np.asarray(sum(w * values for w, values in zip(weights, knots, strict=True)))


def _lagrange(t: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the weights of the values at -1, 0, 1 and 2 in the cubic through them, at t."""
    a, b, c, d = t + 1, t, t - 1, t - 2
    return -b * c * d / 6, a * c * d / 2, -a * b * d / 2, a * b * c / 6


def _lagrange_slope(t: np.ndarray) -> tuple[np.ndarray, ...]:
    s = t**2
    return (
        -(3 * s - 6 * t + 2) / 6,
        (3 * s - 4 * t - 1) / 2,
        -(3 * s - 2 * t - 2) / 2,
        (3 * s - 1) / 6,
    )


def _lagrange_bend(t: np.ndarray) -> tuple[np.ndarray, ...]:
    return 1 - t, 3 * t - 2, 1 - 3 * t, t


def _chebyshev(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Chebyshev points between the least and the largest of some values, (n,), and weights.

    The weights, (S, n), take what is known at the points to the values.
    """
    from numpy.polynomial import chebyshev

    middle, half = (values.max() + values.min()) / 2, max(np.ptp(values) / 2, 1e-9)
    n = 2 + int(np.log(DIGITS) / np.arcsinh(np.pi / half))
    points = chebyshev.chebpts1(n)
    coefficients = chebyshev.chebvander(points, n - 1).T * 2 / n
    coefficients[0] /= 2
    weights = chebyshev.chebvander((values - middle) / half, n - 1) @ coefficients
    return middle + half * points, weights

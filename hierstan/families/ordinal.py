"""Ratings in ordered categories, such as satisfaction from 1 to 5: a cumulative logit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import NOTHING, Draws, Family, Role
from hierstan.families.links import expit, log1p_exp, p_times_q
from hierstan.priors import Prior

STEPS = 50  # of Newton's method for a group's own estimate; a handful do
LONGEST = 1.0
COUNT, CUT = "rated {}", "cut {}"  # columns of raw estimates


class Ordinal(Family):
    """``P(y > c) = inv_logit(theta - cutpoint[c])``, with cut points around 0.

    `theta` is then the mean over the cut points of the log-odds of a rating above it. With two
    categories it would be the log-odds of the second.
    """

    name = "ordinal"
    link = "logit"
    words = "ratings in ordered categories: cumulative logit"
    columns = {"y": "int", "C": "int", "weight": "real"}
    constants = ("C",)
    takes = {"ratings": {"rating": Role("y", "category")}}
    observation = {"y": 1, "C": 0, "weight": 1}
    size = ("weight",)
    unit = "ratings"
    collapses = True
    parameters: ClassVar[tuple[str, ...]] = ("cutpoint",)
    parameter_dims: ClassVar[Mapping[str, str]] = {"cutpoint": "cut"}
    lower_bounds = {"cutpoint": -np.inf}
    natural = True
    curved = True
    known = True
    ordered = ("cutpoint",)
    bounded = True
    mean_words = "mean score"
    scored = True
    checks = {"divided": ()}

    def to_response(self, theta: np.ndarray, own: Draws | None = None) -> np.ndarray:
        """Return mean scores: the first one, and each step up by the share that lies above."""
        assert own is not None
        cut, scores = centered(own["cutpoint"]), own["scores"]
        total = np.full(np.shape(theta), scores[0], dtype=float)
        for c, step in enumerate(np.diff(scores)):
            total += step * expit(theta - cut[..., c])
        return total

    def to_link(self, mean: np.ndarray, own: Draws | None = None) -> np.ndarray:
        """Return where the mean score of a group is so much, (S, K), by bisection."""
        assert own is not None
        cut = centered(own["cutpoint"])
        shape = np.broadcast_shapes(np.shape(mean), cut.shape[:-1])
        low, high = np.full(shape, cut.min() - 50.0), np.full(shape, cut.max() + 50.0)
        for _ in range(60):  # to 1e-16 of the range
            middle = (low + high) / 2
            above = self.to_response(middle, own) > mean
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return (low + high) / 2

    def category_shares(self, theta: np.ndarray, own: Draws) -> np.ndarray:
        """Return the share of each category at these means, (S, K, C)."""
        above = expit(np.asarray(theta)[..., None] - centered(own["cutpoint"]))
        edge = np.ones((*above.shape[:-1], 1))
        return -np.diff(np.concatenate([edge, above, 0 * edge], axis=-1), axis=-1)

    def identified(self, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Put the middle of the cut points at 0, on which nothing else depends."""
        if "cutpoint" not in draws:
            return dict(draws)
        return {**draws, "cutpoint": centered(draws["cutpoint"])}

    def sizes_of(self, cells: pd.DataFrame) -> dict[str, int]:
        """Return the number of cut points."""
        return {"cutpoint": int(cells["C"].iloc[0]) - 1}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Mean log-odds of a rating above each cut point; scale 1."""
        return float(_log_odds(_counted(cells, 1)[0]).mean()), 1.0

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return that of the cut points: all shares of the categories are as likely."""
        return {"cutpoint": priors.Dirichlet(1)}

    def starts(
        self, typical: Mapping[str, Prior], rng: np.random.Generator, cells: pd.DataFrame
    ) -> dict[str, np.ndarray]:
        """Return the cut points of all rows together, more or less far apart."""
        return {"cutpoint": _cutpoints(cells) * np.exp(rng.uniform(-0.2, 0.2))}

    def collapse(self, frame: Frame) -> Frame:
        """Different ratings of each group, and how often each occurs."""
        return collapse.values(frame)

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        named = raw.rename(columns={"count": "weight"})
        return self.single(named.sort_values(["group", "y"]))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return how often each category occurs, by its position in the scale."""
        counts = _counted(cells, J).astype(np.int64)
        return pd.DataFrame(counts, columns=range(1, counts.shape[1] + 1))

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Mean positions in the scale; on the link scale at the cut points of all rows together.

        There, and in the standard errors, half a row in the first and in the last category are
        added.
        """
        counts, cut = _counted(cells, J), _cutpoints(cells)
        smoothed = _with_ends(counts)
        link = np.zeros(J)
        for _ in range(STEPS):
            slope, curvature = expanded(link, smoothed, cut)
            move = np.clip(slope / curvature, -LONGEST, LONGEST)
            link = link + move
            if np.abs(move).max(initial=0.0) < 1e-9:
                break
        n = counts.sum(axis=1)
        link_se = 1 / np.sqrt((n + 1) * slopes_of_rows(link, cut))
        mean, se = _scored(counts, np.arange(1.0, counts.shape[1] + 1))
        table = raw.table(n, mean, se, link, link_se)
        more = {COUNT.format(c + 1): column for c, column in enumerate(counts.T)}
        return table.assign(**more, **{CUT.format(c + 1): value for c, value in enumerate(cut)})

    def on_scores(self, table: pd.DataFrame, scores: np.ndarray) -> pd.DataFrame:
        """Return raw estimates with the means of scores in place of positions."""
        counts = columns_of(table, COUNT, len(scores))
        mean, se = _scored(counts, scores)
        return table.assign(raw=mean, raw_se=se)

    def expansion(self, raw: Draws, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimate and precision of the normal that fits each likelihood at a mean."""
        C = sum(name.startswith("rated ") for name in raw)
        cut = columns_of(raw, CUT, C - 1)[0]
        slope, curvature = expanded(mode, columns_of(raw, COUNT, C), cut)
        return mode + slope / curvature, curvature

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the log probabilities of the ratings behind each cell."""
        cut = centered(own["cutpoint"][:, 0])
        end, code = np.full((len(cut), 1), np.inf), cells["y"].astype(int)
        top, bottom = np.hstack([cut, end])[:, code - 1], np.hstack([-end, cut])[:, code - 1]
        below, above = log1p_exp(theta - top), log1p_exp(bottom - theta)
        inner = np.log(-np.expm1(cut[:, :-1] - cut[:, 1:]))
        log_width = np.pad(inner, ((0, 0), (1, 1)))[:, code - 1]
        return np.asarray(cells["weight"] * (log_width - below - above))

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """Sum of ``p (P(y > c) - P(y < c))^2`` over the categories, times the rows."""
        return weights * slopes_of_rows(theta, centered(own["cutpoint"]))

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the curvature of each group's likelihood."""
        return self.expansion(raw, theta)[1]


def centered(cutpoint: np.ndarray) -> np.ndarray:
    """Return cut points with their mean at 0."""
    return cutpoint - cutpoint.mean(axis=-1, keepdims=True)


def columns_of(table: pd.DataFrame | Draws, name: str, count: int) -> np.ndarray:
    """Return the columns of raw estimates with such names, (J, count)."""
    return np.stack([np.asarray(table[name.format(c + 1)], float) for c in range(count)], axis=1)


def slopes_of_rows(theta: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return the information of a single row about its group's mean."""
    below, _ = _below(theta, cut)
    terms = [(b - a) * (1 - a - b) ** 2 for a, b in itertools.pairwise(below)]
    return np.asarray(np.sum(terms, axis=0))


def expanded(
    theta: np.ndarray, counts: np.ndarray, cut: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope of each group's log likelihood, (J,), and minus its second derivative."""
    below, both = _below(theta, cut)
    slope, curvature = np.zeros(len(counts)), np.zeros(len(counts))
    for c, n in enumerate(counts.T):
        slope += n * (below[c] + below[c + 1] - 1)
        curvature += n * (both[c] + both[c + 1])
    return slope, curvature


# internals ------------------------------------------------------------------------------------


def _counted(cells: pd.DataFrame, J: int) -> np.ndarray:
    """Return how often each category occurs in each of J groups, or in all of them, (J, C)."""
    C = int(cells["C"].iloc[0])
    group = cells["group"].to_numpy() if J > 1 else np.zeros(len(cells), int)
    code = group * C + cells["y"].to_numpy(int) - 1
    return np.bincount(code, cells["weight"], J * C).reshape(J, C)


def _with_ends(counts: np.ndarray) -> np.ndarray:
    ends = np.zeros(counts.shape[1])
    ends[[0, -1]] = 0.5
    return np.asarray(counts + ends)


def _log_odds(counts: np.ndarray) -> np.ndarray:
    """Return the log-odds of a rating above each cut point, half a row added to each side."""
    below = np.cumsum(counts)[:-1]
    return np.asarray(np.log(counts.sum() - below + 0.5) - np.log(below + 0.5))


def _cutpoints(cells: pd.DataFrame) -> np.ndarray:
    """Return the cut points at which all rows together have the shares that they have."""
    counts = _counted(cells, 1)[0]
    return centered(-_log_odds(counts + 0.5))  # apart where a category is empty


def _below(theta: np.ndarray, cut: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return P(y <= c) from c = 0 to C, and P(y <= c) P(y > c)."""
    log_odds = [cut[..., c] - theta for c in range(cut.shape[-1])]
    zero = np.zeros(np.broadcast_shapes(*(part.shape for part in log_odds)))
    return (
        [zero, *map(expit, log_odds), zero + 1],
        [zero, *map(p_times_q, log_odds), zero],
    )


def _scored(counts: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean score of each group and its standard error."""
    n = counts.sum(axis=1)
    smoothed = _with_ends(counts) / (n + 1)[:, None]
    off = scores - (smoothed @ scores)[:, None]
    return counts @ scores / n, np.sqrt((smoothed * off**2).sum(axis=1) / n)

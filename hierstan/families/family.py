"""The families: how observations arise around a group's mean, on which link scale.

Each family is a row here and a file in ``stan/families/``. Its default priors are formulas of the
data's location and scale on the link scale (see `Family.location_scale`), never uniform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.priors import Prior

LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda theta: theta,
    "logit": lambda theta: 1 / (1 + np.exp(-np.clip(theta, -700, 700))),
    "log": lambda theta: np.exp(np.minimum(theta, 700)),
}


def p_times_q(theta: np.ndarray) -> np.ndarray:
    """Return p (1 - p) at log-odds, without cancelling where p is near 0 or 1."""
    from scipy import special

    return np.asarray(special.expit(theta) * special.expit(-np.asarray(theta)))


@dataclass(frozen=True)
class Family:
    """One family: the columns of its observations, its link and its own parameters."""

    name: str
    link: str
    columns: dict[str, str]
    location_scale: Callable[[pd.DataFrame], tuple[float, float]]
    parameters: dict[str, Callable[[float, pd.DataFrame], Prior]] = field(default_factory=dict)
    lower_bounds: dict[str, float] = field(default_factory=dict)  # where it is not 0
    replicated: tuple[str, ...] = ("y",)  # columns of outcomes; the program writes y_rep and so on
    mean_scale: float = 2.5
    marginal: bool = False
    mean_words: str = "mean"

    def to_response(self, theta: np.ndarray) -> np.ndarray:
        """Return group means on the response scale, from the link scale."""
        return LINKS[self.link](np.asarray(theta, dtype=float))

    def default_priors(self, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return every default prior, by parameter: the documented formulas on these data.

        With `location` and `scale` from `location_scale`: ``mu`` and ``theta`` get
        ``Normal(location, mean_scale * scale)``, ``tau`` gets ``HalfNormal(scale)``, and ``beta``
        (the slopes of standardized predictors) gets ``Normal(0, scale)``.
        """
        location, scale = self.location_scale(cells)
        mean = priors.Normal(location, self.mean_scale * scale)
        own = {name: prior(scale, cells) for name, prior in self.parameters.items()}
        spread = {"beta": priors.Normal(0, scale), "tau": priors.HalfNormal(scale)}
        return {"mu": mean, "theta": mean, **spread, **own}


def _known_se(cells: pd.DataFrame) -> tuple[float, float]:
    """Mean of the estimates; the larger of their sd and the median standard error."""
    spread = float(cells["y"].std(ddof=0)) if len(cells) > 1 else 0.0
    return float(cells["y"].mean()), max(spread, float(cells["se"].median()))


def _rows(means: pd.Series, count: pd.Series, squares: pd.Series) -> tuple[float, float]:
    """Mean and standard deviation of all rows, from the groups' summaries."""
    total = float(count.sum())
    location = float((count * means).sum() / total)
    between = float((count * (means - location) ** 2).sum())
    scale = float(np.sqrt((float(squares.sum()) + between) / max(total - 1, 1)))
    return location, scale if scale > 0 else max(abs(location), 1.0)


def _normal(cells: pd.DataFrame) -> tuple[float, float]:
    return _rows(cells["y"], cells["count"], cells["squares"])


def _lognormal(cells: pd.DataFrame) -> tuple[float, float]:
    return _rows(np.log(cells["y"]), cells["count"], cells["squares"])


def _student_t(cells: pd.DataFrame) -> tuple[float, float]:
    """Median of all rows and their median absolute deviation, made comparable to a sd."""
    location = float(cells["y"].median())
    scale = 1.4826 * float((cells["y"] - location).abs().median())
    if scale <= 0:
        scale = float(cells["y"].std()) if len(cells) > 1 else 0.0
    return location, scale if scale > 0 else max(abs(location), 1.0)


def _rate(cells: pd.DataFrame) -> tuple[float, float]:
    """Log-odds of the overall rate, with half a success and half a failure added; scale 1."""
    successes = float(cells["y"].sum()) + 0.5
    return float(np.log(successes / (float(cells["trials"].sum()) + 1 - successes))), 1.0


def _events(cells: pd.DataFrame) -> tuple[float, float]:
    """Log of the overall rate, with half an event added; scale 1."""
    return float(np.log((float(cells["y"].sum()) + 0.5) / float(cells["exposure"].sum()))), 1.0


def _counts(cells: pd.DataFrame) -> tuple[float, float]:
    """Log of the overall mean count, with half an event added; scale 1."""
    total = float((cells["y"] * cells["weight"]).sum()) + 0.5
    return float(np.log(total / float(cells["weight"].sum()))), 1.0


def _amounts(cells: pd.DataFrame) -> tuple[float, float]:
    """Log of the overall mean; scale 1."""
    mean = float((cells["y"] * cells["count"]).sum() / cells["count"].sum())
    return float(np.log(mean)), 1.0


def _odds_ratio(cells: pd.DataFrame) -> tuple[float, float]:
    """Log odds ratio of all treatment arms to all control arms, each as in `_rate`; scale 1."""
    return _rate(cells)[0] - _rate(_control(cells))[0], 1.0


def _control(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the control arms as binomial cells."""
    return pd.DataFrame({"y": cells["control"], "trials": cells["control_trials"]})


def _spread(scale: float, _: pd.DataFrame) -> Prior:
    return priors.HalfNormal(scale)


def _dispersion(*_: object) -> Prior:
    return priors.LogNormal(1, 1.5)


def _baseline(scale: float, cells: pd.DataFrame) -> Prior:
    return priors.Normal(_rate(_control(cells))[0], 1.5 * scale)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("normal_known", "identity", {"y": "real", "se": "real"}, _known_se, marginal=True),
        Family(
            "normal",
            "identity",
            {"y": "real", "count": "real", "squares": "real"},
            _normal,
            {"sigma": _spread},
            marginal=True,
        ),
        Family(
            "student_t",
            "identity",
            {"y": "real"},
            _student_t,
            {"sigma": _spread, "nu": lambda *_: priors.Gamma(2, 0.1)},
            {"nu": 1.0},
        ),
        Family(
            "binomial",
            "logit",
            {"y": "int", "trials": "int"},
            _rate,
            mean_scale=1.5,
            mean_words="rate",
        ),
        Family(
            "bernoulli",
            "logit",
            {"y": "int", "trials": "int"},
            _rate,
            mean_scale=1.5,
            mean_words="rate",
        ),
        Family(
            "two_arm",
            "identity",
            {"y": "int", "trials": "int", "control": "int", "control_trials": "int"},
            _odds_ratio,
            {
                "intercept": _baseline,
                "slope": lambda scale, _: priors.Normal(0, scale),
                "spread": _spread,
            },
            {"intercept": -np.inf, "slope": -np.inf},
            ("y", "control"),
            mean_scale=1.5,
            mean_words="log odds ratio",
        ),
        Family(
            "poisson",
            "log",
            {"y": "int", "exposure": "real"},
            _events,
            mean_scale=1.5,
            mean_words="rate",
        ),
        Family(
            "neg_binomial",
            "log",
            {"y": "int", "weight": "real"},
            _counts,
            {"phi": _dispersion},
            mean_scale=1.5,
        ),
        Family(
            "lognormal",
            "log",
            {"y": "real", "count": "real", "squares": "real"},
            _lognormal,
            {"sigma": _spread},
            marginal=True,
            mean_words="median",
        ),
        Family(
            "gamma",
            "log",
            {"y": "real", "count": "real", "mean_log": "real"},
            _amounts,
            {"shape": _dispersion},
            mean_scale=1.5,
        ),
    )
}

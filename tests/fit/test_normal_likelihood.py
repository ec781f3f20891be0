"""The likelihood of standard deviations against dense matrices of all that varies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from crossed import LABELS, cells, crossed
from scipy import stats

import hierstan as hs
from hierstan.fit.normal_likelihood import WIDE, NormalLikelihood

SDS = [
    {"tau": 0.0, "tau_age": 0.5, "tau_channel": 0.0},
    {"tau": 0.3, "tau_age": 0.0, "tau_channel": 0.7},
    {"tau": 2.0, "tau_age": 1.5, "tau_channel": 0.1},
]


def differences(found: list[float], exact: list[float]) -> None:
    np.testing.assert_allclose(np.diff(found), np.diff(exact), rtol=0, atol=2e-3)


def dense(
    y: np.ndarray, V: np.ndarray, X: np.ndarray, parts: dict[str, np.ndarray], sds: dict[str, float]
) -> float:
    covariance = V + sds["tau"] ** 2 * np.eye(len(y)) + (WIDE * np.ptp(y)) ** 2 * X @ X.T
    for name, Z in parts.items():
        covariance += sds[name] ** 2 * Z @ Z.T
    return float(stats.multivariate_normal(np.zeros(len(y)), covariance).logpdf(y))


def correlated(frame: pd.DataFrame) -> np.ndarray:
    same = frame["study"].to_numpy()[:, None] == frame["study"].to_numpy()
    se = frame["se"].to_numpy()
    return np.outer(se, se) * np.where(same, 0.6, 0.0) + np.diag(0.4 * se**2)


@pytest.mark.parametrize("together", [False, True], ids=["independent", "correlated"])
@pytest.mark.parametrize("x", [False, True], ids=["plain", "predictor"])
def test_factors(together: bool, x: bool) -> None:
    frame = crossed().assign(study=list("aabbbccdeff"), x=np.arange(11.0) % 4)
    options = {"within": "study", "correlation": 0.6} if together else {}
    more = {"predictors": ["x"]} if x else {}
    if together:
        frame["cell"] = frame["age"] + frame["channel"]
        data = hs.GroupedData.from_estimates(
            frame, group="cell", factors=list(LABELS), estimate="y", se="se", **options, **more
        )
    else:
        data = hs.GroupedData.from_estimates(
            frame, group=list(LABELS), estimate="y", se="se", **more
        )
    V = correlated(frame) if together else np.diag(frame["se"].to_numpy() ** 2)
    parts = {
        f"tau_{name}": np.array([frame[name] == level for level in levels], float).T
        for name, levels in LABELS.items()
    }
    y = frame["y"].to_numpy()
    likelihood = NormalLikelihood(data, y, frame["se"].to_numpy() ** -2.0)
    found = [likelihood(sds) for sds in SDS]
    differences(found, [dense(y, V, data.design, parts, sds) for sds in SDS])


def test_one_population_and_a_flat_mean() -> None:
    y, se = np.array([299_792.4, 299_793.1, 299_790.0, 299_795.0]), np.array([1.0, 2.0, 1.0, 0.5])
    frame = pd.DataFrame({"g": range(4), "y": y, "se": se})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    likelihood = NormalLikelihood(data, y, se**-2.0)
    taus = [{"tau": tau} for tau in (0.0, 0.4, 3.0)]
    moved = y - y.mean()
    exact = [dense(moved, np.diag(se**2), np.ones((4, 1)), {}, sds) for sds in taus]
    differences([likelihood(sds) for sds in taus], exact)


def test_groups_that_say_nothing_do_not_count() -> None:
    frame = crossed()
    data, y, precision = cells(frame), frame["y"].to_numpy(), frame["se"].to_numpy() ** -2.0
    silent = np.where(np.arange(11) == 3, 0.0, precision)
    known = np.arange(11) != 3
    found = [NormalLikelihood(data, y, silent)(sds) for sds in SDS]
    fewer = [NormalLikelihood(cells(frame[known]), y[known], precision[known])(s) for s in SDS]
    differences(found, fewer)


@pytest.mark.parametrize("sure", [[3], [3, 4], [0, 1, 2, 3, 4, 5, 6, 7]], ids=len)
def test_groups_that_are_as_good_as_known_leave_what_the_others_say(sure: list[int]) -> None:
    """One standard error of 1e-10 says what one of 1e-5 does, where tau is far above both."""
    frame = crossed()
    y, se = frame["y"].to_numpy(), frame["se"].to_numpy().copy()
    found = []
    for least in (1e-5, 1e-10):
        se[sure] = least
        likelihood = NormalLikelihood(cells(frame.assign(se=se)), y, se**-2.0)
        found.append([likelihood(sds) for sds in SDS if sds["tau"] > 0.1])
    np.testing.assert_allclose(np.diff(found[1]), np.diff(found[0]), rtol=0, atol=1e-6)

"""Counts in cells of two factors, by quadrature in numpy and scipy alone."""

from __future__ import annotations

import numpy as np
from exact import Posterior
from scipy import interpolate, special

FAR = 15.0  # centers from -15 to 15 on the log-odds scale: further out there is no weight
STEPS = 601


def crossed_counts(
    y: np.ndarray,
    trials: np.ndarray,
    *,
    mu: tuple[float, float],
    scales: tuple[float, float, float],
    nodes: int = 16,
    sds: int = 10,
) -> Posterior:
    """Integrate binomial counts of the cells (A, 2) of two factors, the second of two levels.

    `mu` is the mean and sd of its normal prior, `scales` those of the half-normal priors of
    ``tau_a``, ``tau_b`` and ``tau``. A cell without trials says nothing. Given the sds, the levels
    of the first factor are independent given ``mu + u_b``, which leaves sums over three dimensions
    at most; each cell's likelihood is first integrated over its ``theta``.
    """
    z, weight_z = special.roots_hermitenorm(nodes)
    weight_z = weight_z / weight_z.sum()
    grids = [_half_normal(scale, sds) for scale in scales]
    at_tau = [_cells(y, trials, tau) for tau in grids[2][0]]
    log_weight, first, second = [], [], []
    for a, b, t in np.ndindex(sds, sds, sds):
        tau_a, tau_b, tau = grids[0][0][a], grids[1][0][b], grids[2][0][t]
        middle_sd, apart_sd = np.sqrt(mu[1] ** 2 + tau_b**2 / 2), tau_b / np.sqrt(2)
        middle = mu[0] + middle_sd * z[:, None, None]
        apart = apart_sd * z[None, :, None]
        centers = np.stack([middle + apart, middle - apart])  # (2, middle, apart, 1)
        told = _of_cells(at_tau[t], centers + tau_a * z)  # (A, 2, middle, apart, u_a, 3)
        both = np.exp(told[..., 0].sum(axis=1)) * weight_z  # (A, middle, apart, u_a)
        of_level = both.sum(axis=-1)
        total = of_level.prod(axis=0) * weight_z[:, None] * weight_z
        all_of_it = total.sum()
        total = total / all_of_it
        share = both / of_level[..., None]
        drawn = middle_sd**2 - tau_b**2 / 2, tau_b**2 / 2  # of the middle: mu, and the mean of u_b
        of_mu = mu[0] + drawn[0] / middle_sd**2 * (middle - mu[0])[..., 0]
        left = np.full_like(of_mu, drawn[0] * drawn[1] / middle_sd**2)
        of_b = centers[..., 0] - of_mu
        joint = share * total[..., None]
        theta, theta2 = np.einsum("ixyz,ikxyzm->mik", joint, told[..., 1:])
        u_a, u_a2 = (joint.sum(axis=(1, 2)) @ (tau_a * z) ** power for power in (1, 2))
        parts = [
            (theta.ravel(), theta2.ravel()),
            (u_a, u_a2),
            ((of_b * total).sum(axis=(1, 2)), ((of_b**2 + left) * total).sum(axis=(1, 2))),
            ([(of_mu * total).sum()], [((of_mu**2 + left) * total).sum()]),
            ([tau_a, tau_b, tau], np.square([tau_a, tau_b, tau])),
        ]
        first.append(np.concatenate([part[0] for part in parts]))
        second.append(np.concatenate([part[1] for part in parts]))
        log_weight.append(
            np.log(all_of_it) + np.log(grids[0][1][a] * grids[1][1][b] * grids[2][1][t])
        )
    log_marginal = float(special.logsumexp(log_weight))
    weight = np.exp(np.array(log_weight) - log_marginal)
    mean = weight @ np.array(first)
    sd = np.sqrt(weight @ np.array(second) - mean**2)
    A = len(y)
    ends = np.cumsum([0, 2 * A, A, 2, 1, 1, 1, 1])
    names = ("theta", "u_a", "u_b", "mu", "tau_a", "tau_b", "tau")
    places = {name: slice(*ends[k : k + 2]) for k, name in enumerate(names)}
    scalars = {"mu", "tau_a", "tau_b", "tau"}
    found = [
        {name: v[p][0] if name in scalars else v[p] for name, p in places.items()}
        for v in (mean, sd)
    ]
    return Posterior(*found, log_marginal)


def _half_normal(scale: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    x, weight = np.polynomial.legendre.leggauss(nodes)
    x, weight = 5.5 * scale * (x + 1) / 2, 5.5 * scale * weight / 2
    return x, weight * np.sqrt(2 / np.pi) / scale * np.exp(-0.5 * (x / scale) ** 2)


def _cells(y: np.ndarray, trials: np.ndarray, tau: float) -> interpolate.CubicSpline:
    """Return a curve over the center of a cell: log likelihood, mean and mean square of theta.

    Of shape (3, A, 2) at each center, with theta integrated out.
    """
    center = np.linspace(-FAR, FAR, STEPS)
    z, weight = special.roots_hermitenorm(60)
    theta = (center[:, None] + tau * z)[..., None, None]
    log_lik = (
        special.gammaln(trials + 1) - special.gammaln(y + 1) - special.gammaln(trials - y + 1)
        + y * theta - trials * np.logaddexp(0, theta)
    )  # fmt: skip
    told = log_lik + np.log(weight / weight.sum())[:, None, None]
    whole = special.logsumexp(told, axis=1)
    share = np.exp(told - whole[:, None])
    moments = [(share * theta**power).sum(axis=1) for power in (1, 2)]
    return interpolate.CubicSpline(center, np.stack([whole, *moments], axis=1))


def _of_cells(curve: interpolate.CubicSpline, center: np.ndarray) -> np.ndarray:
    """Evaluate each cell's curve at its own center, of shape (2, ...) by level of the second."""
    A = curve.c.shape[3]
    found = np.empty((A, *center.shape, 3))
    for i, k in np.ndindex(A, 2):
        own = interpolate.CubicSpline.construct_fast(curve.c[:, :, :, i, k], curve.x)
        found[i, k] = own(np.clip(center[k], -FAR, FAR))
    return found

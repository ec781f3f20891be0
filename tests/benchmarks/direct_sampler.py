"""hierstan against the physical limit: independent draws from the exact posterior, in NumPy.

With known standard errors, mu and theta integrate out in closed form, so that what is left of tau
is one curve. The direct sampler tabulates it on a grid, draws tau from it, then mu given tau, then
theta given both: 4,000 independent draws of everything, and nothing that could be left out. It is
compared with hierstan's whole call (`PartialPooling().fit`, 4 x 1,000 draws, starting from a data
frame), with the same priors. The mean of tau of both must agree within 4 Monte Carlo standard
errors, or else the comparison would not be one. Above 5,000 groups a fit makes draws of theta only
when it is asked for them: "with theta" asks for all, as the direct sampler has them; "means" is
`hs.group_means`, which needs none.

Run: python tests/benchmarks/direct_sampler.py [--repeat 3] [J ...]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from measuring import machine

import hierstan as hs

S = 4000
MU_SCALE, TAU_SCALE = 2.5, 1.0


def simulated(J: int) -> pd.DataFrame:
    rng = np.random.default_rng(J)
    se = 1 / np.sqrt(rng.integers(20, 200, J))
    return pd.DataFrame({"g": range(J), "y": rng.normal(rng.normal(-1, 0.5, J), se), "se": se})


def direct(y: np.ndarray, se: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw S times from the posterior of y ~ normal(theta, se), theta ~ normal(mu, tau)."""
    grid = np.linspace(1e-4, 6 * TAU_SCALE, 100)
    for points in (50, 50, 400):  # a posterior much narrower than the grid asks for a finer one
        density = log_marginal(grid, y, se)
        step, kept = grid[1] - grid[0], grid[density > density.max() - 30]
        grid = np.linspace(max(kept[0] - step, 1e-4), kept[-1] + step, points)
    density = log_marginal(grid, y, se)
    weight = np.exp(density - density.max())
    below = np.concatenate([[0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    tau = np.interp(rng.uniform(size=S) * below[-1], below, grid)
    mu, theta = np.empty(S), np.empty((S, len(y)))
    precision = se**-2.0
    weighted = precision * y
    for s, value in enumerate(tau):
        # theta is normal with this precision; mu's comes from variances se^2 + tau^2.
        total = precision + value**-2
        share = precision / (value**2 * total)
        of_mu = share.sum() + MU_SCALE**-2
        mu[s] = (share * y).sum() / of_mu + rng.normal() / np.sqrt(of_mu)
        rng.standard_normal(out=theta[s])
        theta[s] *= np.sqrt(total)
        theta[s] += weighted
        theta[s] += mu[s] / value**2
        theta[s] /= total
    return {"tau": tau, "mu": mu, "theta": theta}


def log_marginal(tau: np.ndarray, y: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Return the log posterior density of tau, with mu and theta integrated out."""
    found = np.empty(len(tau))
    for place, value in enumerate(tau):
        variance = se**2 + value**2
        inner = 1 / variance
        total = inner.sum() + MU_SCALE**-2
        pull = (inner * y).sum()
        fit = (inner * y**2).sum() - pull**2 / total
        found[place] = -0.5 * (np.log(variance).sum() + fit + np.log(total))
    return found - 0.5 * (tau / TAU_SCALE) ** 2


def with_hierstan(frame: pd.DataFrame) -> hs.Fit:
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    priors = {"mu": hs.Normal(0, MU_SCALE), "tau": hs.HalfNormal(TAU_SCALE)}
    return hs.PartialPooling(priors=priors).fit(data, seed=1, engine="stanli", progress=False)


def once(frame: pd.DataFrame, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray], hs.Fit]:
    """Return seconds of the direct sampler, the fit, all theta and the means; and both results."""
    y, se = frame["y"].to_numpy(), frame["se"].to_numpy()
    times = [time.perf_counter()]
    exact = direct(y, se, np.random.default_rng(seed))
    times.append(time.perf_counter())
    fit = with_hierstan(frame)
    times.append(time.perf_counter())
    fit.theta()
    times.append(time.perf_counter())
    hs.group_means(fit)
    times.append(time.perf_counter())
    return np.diff(times), exact, fit


def main() -> None:
    parser = argparse.ArgumentParser(description="hierstan against exact draws.")
    parser.add_argument("groups", nargs="*", type=int, default=[8, 50, 1000, 20_000])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(machine("hierstan", "stanli", "numpy"))
    with_hierstan(simulated(8))  # imports
    print(
        f"\n{'groups':>7} {'direct [s]':>10} {'fit [s]':>8} {'ratio':>6} {'with theta [s]':>14} "
        f"{'ratio':>6} {'means [s]':>9} {'ESS tau':>8} {'tau, direct':>11} {'hierstan':>9} "
        f"{'MCSEs':>5}"
    )
    for J in options.groups:
        frame = simulated(J)
        times = []
        for seed in range(options.repeat):
            seconds, exact, fit = once(frame, seed)
            times.append(seconds)
        limit, fitting, making, summing = np.median(times, axis=0)
        everything = fitting + making
        measures = fit.convergence().parameters.loc["tau"]
        tau = exact["tau"]
        error = np.hypot(measures["mcse_mean"], tau.std(ddof=1) / np.sqrt(S))
        apart = abs(tau.mean() - measures["mean"]) / error
        print(
            f"{J:>7,} {limit:>10.3f} {fitting:>8.3f} {fitting / limit:>5.2f}x {everything:>14.3f} "
            f"{everything / limit:>5.2f}x {summing:>9.3f} {measures['ess_bulk']:>8,.0f} "
            f"{tau.mean():>11.5f} {measures['mean']:>9.5f} {apart:>5.1f}"
            f"{'' if apart < 4 else '  DISAGREE'}",
            flush=True,
        )


if __name__ == "__main__":
    main()

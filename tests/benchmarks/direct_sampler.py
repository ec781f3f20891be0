"""hierstan against the physical limit: independent draws from the exact posterior, in NumPy.

With known standard errors, mu and theta integrate out in closed form, so that what is left of tau
is one curve. The direct sampler tabulates it on a grid, draws tau from it, then mu given tau, then
theta given both: 4,000 independent draws of everything, and nothing that could be left out. It is
compared with hierstan's whole call (`PartialPooling().fit`, 4 x 1,000 draws, starting from a data
frame), with the same priors. The mean of tau of both must agree within 4 Monte Carlo standard
errors, or else the comparison would not be one.

Run: python tests/benchmarks/direct_sampler.py [--repeat 3] [J ...]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from measuring import machine, middle

import hierstan as hs

S = 4000
MU_SCALE, TAU_SCALE = 2.5, 1.0


def simulated(J: int) -> pd.DataFrame:
    rng = np.random.default_rng(J)
    se = 1 / np.sqrt(rng.integers(20, 200, J))
    return pd.DataFrame({"g": range(J), "y": rng.normal(rng.normal(-1, 0.5, J), se), "se": se})


def direct(y: np.ndarray, se: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw S times from the posterior of y ~ normal(theta, se), theta ~ normal(mu, tau)."""
    coarse = np.linspace(1e-6, 6 * TAU_SCALE, 400)
    density = log_marginal(coarse, y, se)
    kept = coarse[density > density.max() - 40]
    step = coarse[1] - coarse[0]
    grid = np.linspace(max(kept[0] - step, 1e-6), kept[-1] + step, 400)
    for _ in range(2):  # a posterior much narrower than the first grid asks for a finer one
        density = log_marginal(grid, y, se)
        kept = grid[density > density.max() - 25]
        step = grid[1] - grid[0]
        grid = np.linspace(max(kept[0] - step, 1e-6), kept[-1] + step, 1000)
    density = log_marginal(grid, y, se)
    weight = np.exp(density - density.max())
    below = np.concatenate([[0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    tau = np.interp(rng.uniform(size=S) * below[-1], below, grid)
    theta = np.empty((S, len(y)))
    mu = np.empty(S)
    variance = se**2
    precision = 1 / variance
    for s, value in enumerate(tau):
        inner = 1 / (variance + value**2)
        total = inner.sum() + 1 / MU_SCALE**2
        mu[s] = inner @ y / total + rng.normal() / np.sqrt(total)
        posterior = 1 / (precision + value**-2)
        rng.standard_normal(out=theta[s])
        theta[s] *= np.sqrt(posterior)
        theta[s] += posterior * (precision * y + mu[s] / value**2)
    return {"tau": tau, "mu": mu, "theta": theta}


def log_marginal(tau: np.ndarray, y: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Return the log posterior density of tau, with mu and theta integrated out."""
    found = np.empty(len(tau))
    for place, value in enumerate(tau):
        variance = se**2 + value**2
        inner = 1 / variance
        total = inner.sum() + 1 / MU_SCALE**2
        mean = inner @ y / total
        found[place] = -0.5 * (
            np.log(variance).sum() + inner @ y**2 - total * mean**2 + np.log(total)
        )
    return found - 0.5 * (tau / TAU_SCALE) ** 2


def with_hierstan(frame: pd.DataFrame) -> hs.Fit:
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    priors = {"mu": hs.Normal(0, MU_SCALE), "tau": hs.HalfNormal(TAU_SCALE)}
    return hs.PartialPooling(priors=priors).fit(data, seed=1, engine="stanli", progress=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="hierstan against exact draws.")
    parser.add_argument("groups", nargs="*", type=int, default=[8, 50, 1000, 20_000])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(machine("hierstan", "stanli", "numpy"))
    with_hierstan(simulated(8))  # imports
    print(
        "\n groups  direct [s]  hierstan [s]   ratio  ESS of tau  tau direct  tau hierstan  MCSEs"
    )
    for J in options.groups:
        frame = simulated(J)
        y, se = frame["y"].to_numpy(), frame["se"].to_numpy()
        times: dict[str, list[float]] = {"direct": [], "hierstan": []}
        for repetition in range(options.repeat):
            start = time.perf_counter()
            exact = direct(y, se, np.random.default_rng(repetition))
            drawn = time.perf_counter()
            fit = with_hierstan(frame)
            end = time.perf_counter()
            times["direct"].append(drawn - start)
            times["hierstan"].append(end - drawn)
        measures = fit.convergence().parameters.loc["tau"]
        tau = exact["tau"]
        error = np.hypot(measures["mcse_mean"], tau.std(ddof=1) / np.sqrt(S))
        apart = abs(tau.mean() - measures["mean"]) / error
        limit, whole = middle(times["direct"]), middle(times["hierstan"])
        print(
            f"{J:>7,} {limit:>11.3f} {whole:>13.3f} {whole / limit:>6.2f}x "
            f"{measures['ess_bulk']:>11,.0f} {tau.mean():>11.5f} {measures['mean']:>13.5f} "
            f"{apart:>6.1f}{'' if apart < 4 else '  DISAGREE'}",
            flush=True,
        )


if __name__ == "__main__":
    main()

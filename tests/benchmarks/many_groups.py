"""Partial pooling of very many groups with known standard errors.

Each number of groups in a process of its own: seconds to take in the data, to fit (4 x 1,000
draws) and to summarise every group, processor time, peak memory, and how many of the 90% intervals
of `group_means` cover the truth that the data were simulated from. Above the documented limit the
draws of theta are not kept and the means come from the exact conditionals (`fit.keeps_theta`). The
ratio is the growth of the fit's seconds per group from one line to the next.

Run: python tests/benchmarks/many_groups.py [J ...]    (10,000 and 100,000; 1000000 takes long)
"""

from __future__ import annotations

import argparse
import time

from measuring import growing, machine, report

TARGET = 8.0  # GiB


def main() -> None:
    parser = argparse.ArgumentParser(description="Very many groups.")
    parser.add_argument("groups", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--timeout", type=float, default=3600)
    parser.add_argument("--child", nargs=1, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return one(options.child[0])
    print(machine("hierstan", "stanli"))
    print(
        f"\n{'groups':>10} {'data [s]':>8} {'fit [s]':>8} {'ratio':>6} {'means [s]':>9} "
        f"{'CPU [s]':>8} {'GiB':>5} {'theta kept':>10} {'covered':>8} {'ESS tau':>8} "
        f"{'R-hat':>6} {'div.':>4}"
    )
    for J, run, ratio in growing(__file__, options.groups, timeout=options.timeout):
        if run.failure:
            print(f"{J:>10,} {run.failure}, {run.seconds:.0f} s, {run.peak:.2f} GiB", flush=True)
            continue
        found = run.answer
        print(
            f"{J:>10,} {found['data']:>8.2f} {found['fit']:>8.2f} {ratio:>6} "
            f"{found['means']:>9.2f} {found['cpu']:>8.1f} {run.peak:>5.2f} "
            f"{'yes' if found['kept'] else 'no':>10} {found['covered']:>8.2%} "
            f"{found['ess']:>8,.0f} {found['r_hat']:>6.3f} {found['divergences']:>4}"
            f"{'' if run.peak < TARGET else f'  ABOVE {TARGET:g} GiB'}",
            flush=True,
        )
    return None


def one(J: int) -> None:
    import numpy as np
    import pandas as pd

    import hierstan as hs

    rng = np.random.default_rng(J)
    theta = rng.normal(-1, 0.5, J)
    se = 1 / np.sqrt(rng.integers(1, 20, J))
    frame = pd.DataFrame({"g": np.arange(J), "y": rng.normal(theta, se), "se": se})
    start = time.perf_counter()
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    read = time.perf_counter()
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    fitted = time.perf_counter()
    means = hs.group_means(fit, prob=0.9)
    end = time.perf_counter()
    import arviz_stats as azs

    inside = (means["lower"].to_numpy() <= theta) & (theta <= means["upper"].to_numpy())
    tau = fit.posterior["tau"].to_numpy()
    report(
        data=read - start,
        fit=fitted - read,
        means=end - fitted,
        cpu=time.process_time(),
        kept=bool(fit.keeps_theta),
        covered=float(inside.mean()),
        ess=float(azs.ess(tau, method="bulk")),
        r_hat=float(azs.rhat(tau)),
        divergences=int(fit.idata["sample_stats"]["diverging"].to_numpy().sum()),
    )


if __name__ == "__main__":
    main()

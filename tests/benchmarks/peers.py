"""hierstan against PyMC, bambi, NumPyro and nutpie: cold time to an answer, draws per second.

Each figure comes from a process of its own, on the same data, with the same priors, each system at
its documented default sampler, 4 chains x 1,000 draws after 1,000 of warmup, on the same cores.

*Cold* is eight schools from the start of the process to a printed posterior summary. hierstan fits
and compares three poolings; the peers fit partial pooling alone, non-centered as their
documentation does; hierstan's partial pooling alone is there too.

*Draws* is partial pooling: seconds of the whole call from data in memory to draws (model,
compilation, sampling and the checks it makes by itself; not the imports), and how many effective
draws of tau (bulk ESS) that gives per second; then the same with the peer's compilation left out.
NumPyro is there in single precision, its default, and in double. The peers are non-centered, and at
1,000 groups and more also centered: the better one counts. Their caches of compiled code are empty
for every process, unless --warm runs each twice and counts the second.

hierstan runs in the same environment, unless --hierstan-python names the Python of another: xarray
and SciPy import jax and numba where they are installed, which costs hierstan a second when cold.

Run, in an environment made from requirements-peers.txt, which says how:

    python tests/benchmarks/peers.py [--only cold|draws] [--groups 8 50 1000 20000] [--timeout 300]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from measuring import Run, again, machine, middle, report

SYSTEMS = ("hierstan", "pymc", "bambi", "numpyro", "numpyro64", "nutpie")
FAMILIES = ("normal", "binomial", "poisson")
BOTH_FROM = 1000  # groups from which the peers are tried centered too
CHAINS, WARMUP, DRAWS = 4, 1000, 1000
SCHOOLS = {
    "y": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0],
    "se": [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0],
}


def main() -> None:
    parser = argparse.ArgumentParser(description="hierstan against its peers.")
    parser.add_argument("--only", choices=["cold", "draws"])
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--groups", nargs="+", type=int, default=[8, 50, 1000])
    parser.add_argument("--repeat", type=int, default=3, help="cold starts of each system")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each process")
    parser.add_argument("--warm", action="store_true", help="keep the peers' compilation caches")
    parser.add_argument(
        "--hierstan-python",
        default=sys.executable,
        help="another environment's, for hierstan alone",
    )
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return CHILDREN[options.child[0]](*options.child[1:])
    print(machine("hierstan", "stanli", "pymc", "bambi", "numpyro", "nutpie", "jax"))
    if options.only != "draws":
        cold_table(options)
    if options.only != "cold":
        for family in options.families:
            for J in options.groups:
                draws_table(options, family, J)
    return None


# the tables -----------------------------------------------------------------------------------


def cold_table(options: argparse.Namespace) -> None:
    """Print seconds from process start to summary: with empty and with filled caches."""
    print("\nEight schools, cold process to printed summary [s]")
    print(
        f"{'system':<34} {'first':>7} {'median':>7} {'min':>7} {'CPU':>6} {'GiB':>6} {'ratio':>7}"
    )
    kinds = [("hierstan", "three"), ("hierstan", "partial")]
    kinds += [(system, "partial") for system in options.systems if system != "hierstan"]
    base = 0.0
    for system, what in kinds:
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                again(
                    __file__,
                    "cold",
                    system,
                    what,
                    python=options.hierstan_python if system == "hierstan" else sys.executable,
                    timeout=options.timeout,
                    environment=fresh(folder),
                )
                for _ in range(options.repeat + 1)
            ]
        name = f"{system}, {'three poolings compared' if what == 'three' else 'partial pooling'}"
        if any(run.failure for run in runs):
            print(f"{name:<34} {next(run.failure for run in runs if run.failure)}", flush=True)
            continue
        seconds = [run.seconds for run in runs]
        typical = middle(seconds[1:])
        base = base or typical
        print(
            f"{name:<34} {seconds[0]:>7.2f} {typical:>7.2f} {min(seconds[1:]):>7.2f} "
            f"{middle(run.cpu for run in runs[1:]):>6.2f} "
            f"{max(run.peak for run in runs):>6.2f} {typical / base:>6.1f}x",
            flush=True,
        )


def draws_table(options: argparse.Namespace, family: str, J: int) -> None:
    """Print time and effective draws per second of each system, as a ratio to hierstan's."""
    print(f"\n{family}, {J:,} groups (load {os.getloadavg()[0]:.1f})")
    print(
        f"{'system':<22} {'whole [s]':>9} {'ESS tau':>8} {'R-hat':>6} {'div.':>5} {'ESS/s':>9} "
        f"{'hierstan/it':>11} | {'sampling [s]':>12} {'ESS/s':>9} {'hierstan/it':>11} "
        f"{'GiB':>6}  tau"
    )
    base = 0.0
    best: dict[str, float] = {"whole": 0.0, "sampling": 0.0}
    for system in options.systems:
        ways = ["auto"] if system == "hierstan" else ["noncentered"]
        if system != "hierstan" and J >= BOTH_FROM:
            ways.append("centered")
        for way in ways:
            run = measured(options, system, family, J, way)
            name = f"{system}, {way}"
            if run.failure:
                print(f"{name:<22} {run.failure} after {run.seconds:.0f} s", flush=True)
                continue
            found = run.answer
            rates = {part: found["ess"] / found[part] for part in best}
            if system == "hierstan":
                base = rates["whole"]
            else:
                best = {part: max(best[part], rates[part]) for part in best}
            print(row(name, found, rates, base, run.peak), flush=True)
    if base and best["whole"]:
        print(
            f"hierstan / best peer: {base / best['whole']:.1f}x whole call against whole call, "
            f"{base / best['sampling']:.2f}x with the peer's compilation left out",
            flush=True,
        )


def row(name: str, found: dict[str, Any], rates: dict[str, float], base: float, peak: float) -> str:
    ratio = {part: f"{base / rate:.1f}x" if base else "" for part, rate in rates.items()}
    return (
        f"{name:<22} {found['whole']:>9.2f} {found['ess']:>8,.0f} {found['r_hat']:>6.3f} "
        f"{found['divergences']:>5} {rates['whole']:>9,.1f} {ratio['whole']:>11} | "
        f"{found['sampling']:>12.2f} {rates['sampling']:>9,.1f} {ratio['sampling']:>11} "
        f"{peak:>6.2f}  {found['tau']:.4f}"
    )


def measured(options: argparse.Namespace, system: str, family: str, J: int, way: str) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2 if options.warm else 1):
            run = again(
                __file__,
                "draws",
                system,
                family,
                J,
                way,
                python=options.hierstan_python if system == "hierstan" else sys.executable,
                timeout=options.timeout,
                environment=fresh(folder),
            )
            if run.failure:
                return run
    return run


def fresh(folder: str) -> dict[str, str]:
    """Return an environment in which caches of compiled code are in this folder."""
    return {
        "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor",
        "NUMBA_CACHE_DIR": f"{folder}/numba",
    }


# one process ----------------------------------------------------------------------------------


def cold(system: str, what: str) -> None:
    import numpy as np

    values = {name: np.array(column) for name, column in SCHOOLS.items()}
    scales = {"mu": 10.0, "tau": 5.0}
    if system == "hierstan":
        import hierstan as hs

        data = grouped("normal", values)
        priors = {"mu": hs.Normal(0, scales["mu"]), "tau": hs.HalfNormal(scales["tau"])}
        if what == "three":
            print(hs.compare(hs.fit_poolings(data, priors=priors, seed=1, engine="stanli")))
        else:
            fit = hs.PartialPooling(priors=priors).fit(data, seed=1, engine="stanli")
            print(hs.summary(fit))
        return
    tree = FITS[system]("normal", values, scales, "noncentered")["tree"]()
    if system.startswith("numpyro"):  # prints its own
        return
    import arviz_stats as azs

    print(azs.summary(tree))


def draws(system: str, family: str, groups: str, way: str) -> None:
    values = simulated(family, int(groups))
    scales = {"mu": 2.5, "tau": 1.0}
    found = FITS[system](family, values, scales, way)
    import arviz_stats as azs
    import numpy as np

    tau = np.asarray(found["tau"], dtype=float)
    report(
        whole=found["whole"],
        sampling=found["sampling"],
        divergences=int(np.sum(found["diverging"])),
        ess=float(azs.ess(tau, method="bulk")),
        r_hat=float(azs.rhat(tau)),
        tau=float(tau.mean()),
    )


CHILDREN: dict[str, Callable[..., None]] = {"cold": cold, "draws": draws}


def simulated(family: str, J: int) -> dict[str, Any]:
    """Groups of 20 to 200 observations each."""
    import numpy as np

    rng = np.random.default_rng(J)
    theta = rng.normal(-1, 0.5, J)
    size = rng.integers(20, 200, J)
    if family == "normal":
        se = 1 / np.sqrt(size)
        return {"y": rng.normal(theta, se), "se": se}
    if family == "binomial":
        return {"y": rng.binomial(size, 1 / (1 + np.exp(-theta))), "trials": size}
    return {"y": rng.poisson(size * np.exp(theta) / 10), "exposure": size / 10}


# hierstan -------------------------------------------------------------------------------------


def grouped(family: str, values: dict[str, Any]) -> Any:
    import pandas as pd

    import hierstan as hs

    frame = pd.DataFrame({"g": range(len(values["y"])), **values})
    if family == "normal":
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    if family == "binomial":
        return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="trials")
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="exposure")


def with_hierstan(
    family: str, values: dict[str, Any], scales: dict[str, float], way: str
) -> dict[str, Any]:
    """Fit by one call."""
    import scipy.optimize
    import scipy.stats  # noqa: F401

    import hierstan as hs

    # Complete pooling of other data: it imports the rest, as `import pymc` does at once.
    other = {"y": [1.0, 2.0], "se": [1.0, 1.0]}
    hs.CompletePooling().fit(grouped("normal", other), seed=1, engine="stanli", progress=False)
    priors = {"mu": hs.Normal(0, scales["mu"]), "tau": hs.HalfNormal(scales["tau"])}
    start = time.perf_counter()
    fit = hs.PartialPooling(priors=priors, parameterization=way).fit(
        grouped(family, values), seed=1, engine="stanli", progress=False
    )
    seconds = time.perf_counter() - start
    return {
        "whole": seconds,
        "sampling": seconds,  # nothing is left out
        "tau": fit.posterior["tau"].to_numpy(),
        "diverging": fit.idata["sample_stats"]["diverging"].to_numpy(),
    }


# PyMC, and nutpie on its models ---------------------------------------------------------------


def pymc_model(family: str, values: dict[str, Any], scales: dict[str, float], way: str) -> Any:
    import pymc as pm

    y = values["y"]
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, scales["mu"])
        tau = pm.HalfNormal("tau", scales["tau"])
        if way == "centered":
            theta = pm.Normal("theta", mu, tau, shape=len(y))
        else:
            z = pm.Normal("z", 0, 1, shape=len(y))
            theta = pm.Deterministic("theta", mu + tau * z)
        if family == "normal":
            pm.Normal("y", theta, values["se"], observed=y)
        elif family == "binomial":
            pm.Binomial("y", n=values["trials"], logit_p=theta, observed=y)
        else:
            pm.Poisson("y", values["exposure"] * pm.math.exp(theta), observed=y)
    return model


def with_pymc(
    family: str, values: dict[str, Any], scales: dict[str, float], way: str
) -> dict[str, Any]:
    import pymc as pm

    start = time.perf_counter()
    with pymc_model(family, values, scales, way):
        tree = pm.sample(chains=CHAINS, tune=WARMUP, draws=DRAWS, random_seed=1, progressbar=False)
    return from_tree(tree, time.perf_counter() - start)


def with_nutpie(
    family: str, values: dict[str, Any], scales: dict[str, float], way: str
) -> dict[str, Any]:
    import nutpie

    start = time.perf_counter()
    compiled = nutpie.compile_pymc_model(pymc_model(family, values, scales, way))
    built = time.perf_counter()
    tree = nutpie.sample(
        compiled, chains=CHAINS, tune=WARMUP, draws=DRAWS, seed=1, progress_bar=False
    )
    end = time.perf_counter()
    return from_tree(tree, end - start) | {"sampling": end - built}


def with_bambi(
    family: str, values: dict[str, Any], scales: dict[str, float], way: str
) -> dict[str, Any]:
    import bambi as bmb
    import numpy as np
    import pandas as pd

    start = time.perf_counter()
    frame = pd.DataFrame({"g": [f"g{j}" for j in range(len(values["y"]))], **values})
    priors: dict[str, Any] = {
        "Intercept": bmb.Prior("Normal", mu=0, sigma=scales["mu"]),
        "1|g": bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=scales["tau"])),
    }
    formula: Any = "y ~ 1 + (1|g)"
    kind = "gaussian"
    if family == "normal":
        frame["log_se"] = np.log(frame["se"])
        formula = bmb.Formula(formula, "sigma ~ 0 + offset(log_se)")  # sigma's link is the log
    elif family == "binomial":
        formula, kind = "p(y, trials) ~ 1 + (1|g)", "binomial"
    else:
        frame["log_exposure"] = np.log(frame["exposure"])
        formula, kind = "y ~ 1 + (1|g) + offset(log_exposure)", "poisson"
    model = bmb.Model(formula, frame, family=kind, priors=priors, noncentered=way == "noncentered")
    tree = model.fit(chains=CHAINS, tune=WARMUP, draws=DRAWS, random_seed=1, progressbar=False)
    return from_tree(tree, time.perf_counter() - start, "1|g_sigma")


def from_tree(tree: Any, seconds: float, tau: str = "tau") -> dict[str, Any]:
    posterior = tree["posterior"]
    attributes = {**tree.attrs, **posterior.attrs}
    return {
        "whole": seconds,
        "sampling": float(attributes.get("sampling_time", "nan")),
        "tau": posterior[tau].to_numpy(),
        "diverging": tree["sample_stats"]["diverging"].to_numpy(),
        "tree": lambda: tree,
    }


# NumPyro --------------------------------------------------------------------------------------


def with_numpyro(
    family: str, values: dict[str, Any], scales: dict[str, float], way: str
) -> dict[str, Any]:
    import numpyro

    numpyro.set_host_device_count(CHAINS)  # as its documentation says, for chains side by side
    import jax
    import jax.numpy as jnp
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS
    from numpyro.infer.reparam import LocScaleReparam

    y = values["y"]

    def model() -> None:
        mu = numpyro.sample("mu", dist.Normal(0, scales["mu"]))
        tau = numpyro.sample("tau", dist.HalfNormal(scales["tau"]))
        reparam = {} if way == "centered" else {"theta": LocScaleReparam(centered=0)}
        with numpyro.plate("group", len(y)), numpyro.handlers.reparam(config=reparam):
            theta = numpyro.sample("theta", dist.Normal(mu, tau))
            if family == "normal":
                numpyro.sample("y", dist.Normal(theta, values["se"]), obs=y)
            elif family == "binomial":
                numpyro.sample("y", dist.Binomial(values["trials"], logits=theta), obs=y)
            else:
                numpyro.sample("y", dist.Poisson(values["exposure"] * jnp.exp(theta)), obs=y)

    compiling: list[float] = []

    def heard(event: str, seconds: float, **rest: Any) -> None:
        if event.endswith(("backend_compile_duration", "jaxpr_to_mlir_module_duration")):
            compiling.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(heard)
    start = time.perf_counter()
    chains = MCMC(
        NUTS(model),
        num_warmup=WARMUP,
        num_samples=DRAWS,
        num_chains=CHAINS,
        progress_bar=False,
    )
    chains.run(jax.random.key(1), extra_fields=("diverging",))
    jax.block_until_ready(chains.get_samples())
    seconds = time.perf_counter() - start
    return {
        "whole": seconds,
        "sampling": seconds - sum(compiling),  # a second run compiles again
        "tau": chains.get_samples(group_by_chain=True)["tau"],
        "diverging": chains.get_extra_fields()["diverging"],
        "tree": chains.print_summary,
    }


def with_numpyro64(
    family: str, values: dict[str, Any], scales: dict[str, float], way: str
) -> dict[str, Any]:
    """Do so in double precision, as every other system has it."""
    import numpyro

    numpyro.enable_x64()
    return with_numpyro(family, values, scales, way)


FITS: dict[str, Callable[..., dict[str, Any]]] = {
    "hierstan": with_hierstan,
    "pymc": with_pymc,
    "bambi": with_bambi,
    "numpyro": with_numpyro,
    "numpyro64": with_numpyro64,
    "nutpie": with_nutpie,
}


if __name__ == "__main__":
    sys.exit(main())

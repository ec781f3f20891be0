"""Groups with structure, hierstan against bambi, PyMC with nutpie and NumPyro in double precision.

1,000 cells of three crossed factors (20 x 10 x 5 levels), or 50 regions of 20 stores; each cell has
an estimate with a known standard error, or 20 normal rows, or 50 trials. Every system samples the
same posterior, 4 chains x 1,000 draws after 1,000 of warmup (hierstan: its own warmup). PyMC and
NumPyro are written by hand as well as can be: cells integrated out of normal data, rows as means
and sums of squares, levels centered or not, whichever is better. bambi takes the rows as they are.

Printed: seconds and CPU seconds of the whole call with what it compiles (not the imports), R-hat of
the standard deviations, and effective draws (bulk) of the worst of them and of the worst level per
CPU second, which hardly depends on what else runs. Run as peers.py:

    python tests/benchmarks/structured_peers.py [--designs crossed nested] [--families known ...]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from measuring import again, machine, report
from peers import CHAINS, DRAWS, WARMUP, fresh

DESIGNS = {"crossed": (20, 10, 5), "nested": (50,)}
STORES = 20
FAMILIES = ("known", "rows", "binomial")
SYSTEMS = ("hierstan", "bambi", "nutpie", "numpyro64")
ROWS, TRIALS = 20, 50
MU, TAU, SIGMA = 2.5, 1.0, 2.0  # scales of the priors


def main() -> None:
    parser = argparse.ArgumentParser(description="Groups with structure: hierstan and its peers.")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=DESIGNS)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each process")
    parser.add_argument("--hierstan-python", default=sys.executable)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(*options.child)
    print(machine("hierstan", "stanli", "pymc", "bambi", "numpyro", "nutpie", "jax"))
    for design in options.designs:
        for family in options.families:
            table(options, design, family)
    return None


def table(options: argparse.Namespace, design: str, family: str) -> None:
    print(f"\n{design}, {family} (load {os.getloadavg()[0]:.1f})")
    print(
        f"{'system':<23} {'whole [s]':>9} {'CPU [s]':>8} {'R-hat':>6} {'div.':>5} "
        f"{'sd ESS/s':>9} {'level ESS/s':>11}  behind by"
    )
    base: tuple[float, float] | None = None
    for system in options.systems:
        ways = ["noncentered", "centered"] if system in ("nutpie", "numpyro64") else ["auto"]
        for way in ways:
            with tempfile.TemporaryDirectory() as folder:
                run = again(
                    __file__,
                    *(system, design, family, way),
                    python=options.hierstan_python if system == "hierstan" else sys.executable,
                    timeout=options.timeout,
                    environment=fresh(folder),
                )
            if run.failure:
                print(f"{system + ', ' + way:<23} {run.failure} after {run.cpu:.0f} CPU s")
                continue
            found = run.answer
            rates = found["sds"] / found["cpu"], found["levels"] / found["cpu"]
            base = base or rates
            print(
                f"{system + ', ' + way:<23} {found['whole']:>9.1f} {found['cpu']:>8.1f} "
                f"{found['r_hat']:>6.3f} {found['divergences']:>5} {rates[0]:>9.1f} "
                f"{rates[1]:>11.1f}  {base[0] / rates[0]:.0f}x, {base[1] / rates[1]:.0f}x",
                flush=True,
            )


# one process ----------------------------------------------------------------------------------


def child(system: str, design: str, family: str, way: str) -> None:
    values = simulated(design, family)
    found = FITS[system](family, values, way)
    import arviz_stats as azs
    import numpy as np

    sds, levels = (np.asarray(found[name]) for name in ("sds", "levels"))  # (chains, draws, ...)
    ess = {
        name: min(float(azs.ess(each[..., k], method="bulk")) for k in range(each.shape[-1]))
        for name, each in {"sds": sds, "levels": levels}.items()
    }
    report(
        whole=found["whole"],
        cpu=found["cpu"],
        r_hat=max(float(azs.rhat(sds[..., k])) for k in range(sds.shape[-1])),
        divergences=int(np.sum(found["diverging"])),
        **ess,
    )


def simulated(design: str, family: str) -> dict[str, Any]:
    """Return the codes of the levels, (F, J), and what was observed of each cell."""
    import numpy as np

    rng, sizes = np.random.default_rng(8), DESIGNS[design]
    J = int(np.prod(sizes)) * (STORES if design == "nested" else 1)
    codes = np.array(np.unravel_index(np.arange(J) % int(np.prod(sizes)), sizes))
    theta = rng.normal(-1, 0.3, J)
    for code, size in zip(codes, sizes, strict=True):
        theta += rng.normal(0, 0.5, size)[code]
    found: dict[str, Any] = {"codes": codes, "sizes": sizes}
    if family == "known":
        se = rng.uniform(0.2, 0.6, J)
        return found | {"se": se, "y": rng.normal(theta, se)}
    if family == "rows":
        return found | {"y": rng.normal(theta[:, None], 1.5, (J, ROWS))}
    return found | {"y": rng.binomial(TRIALS, 1 / (1 + np.exp(-theta)))}


class Timer:
    """Seconds and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, float]:
        return {
            "whole": time.perf_counter() - self._start[0],
            "cpu": time.process_time() - self._start[1],
        }


def framed(values: dict[str, Any], rows: int = 1) -> Any:
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({f"f{f}": code for f, code in enumerate(values["codes"])})
    frame = frame.assign(cell=np.arange(len(frame)))
    frame = frame.loc[frame.index.repeat(rows)].reset_index(drop=True)
    return frame.assign(y=np.ravel(values["y"]), se=values.get("se", 1.0), trials=TRIALS)


def with_hierstan(family: str, values: dict[str, Any], way: str) -> dict[str, Any]:
    import numpy as np

    import hierstan as hs

    frame = framed(values, ROWS if family == "rows" else 1)
    factors = [name for name in frame if str(name).startswith("f")]
    known = {"group": "cell", "factors": factors}
    priors = {"mu": hs.Normal(0, MU), "tau": hs.HalfNormal(TAU), "tau_level": hs.HalfNormal(TAU)}
    other = hs.GroupedData.from_estimates(
        frame.drop_duplicates("cell")[:4].assign(se=1.0), group="cell", estimate="y", se="se"
    )  # of other data: it imports the rest, as `import pymc` does at once
    hs.CompletePooling().fit(other, seed=1, engine="stanli", progress=False)
    timer = Timer()
    if family == "known":
        data = hs.GroupedData.from_estimates(frame, estimate="y", se="se", **known)
    elif family == "rows":
        data = hs.GroupedData.from_rows(frame, outcome="y", **known)
        priors["sigma"] = hs.HalfNormal(SIGMA)
    else:
        data = hs.GroupedData.from_counts(frame, successes="y", trials="trials", **known)
    fit = hs.PartialPooling(priors=priors).fit(data, seed=1, engine="stanli", progress=False)
    told, posterior = timer.told(), fit.posterior
    sds = [posterior["tau"], *(posterior[f"tau_{name}"] for name in factors)]
    return told | {
        "sds": np.stack(sds, axis=-1),
        "levels": np.concatenate([posterior[f"u_{name}"] for name in factors], axis=-1),
        "diverging": fit.idata["sample_stats"]["diverging"].to_numpy(),
    }


def with_bambi(family: str, values: dict[str, Any], way: str) -> dict[str, Any]:
    import bambi as bmb
    import numpy as np

    frame = framed(values, ROWS if family == "rows" else 1)
    names = [*(f"f{f}" for f in range(len(values["sizes"]))), "cell"]
    priors: dict[str, Any] = {"Intercept": bmb.Prior("Normal", mu=0, sigma=MU)}
    for name in names:
        sd = bmb.Prior("HalfNormal", sigma=TAU)
        priors[f"1|{name}"] = bmb.Prior("Normal", mu=0, sigma=sd)
    terms = "1 + " + " + ".join(f"(1|{name})" for name in names)
    timer = Timer()
    formula: Any = f"y ~ {terms}"
    kind = "gaussian"
    if family == "known":
        frame["log_se"] = np.log(frame["se"])
        formula = bmb.Formula(formula, "sigma ~ 0 + offset(log_se)")
    elif family == "rows":
        priors["sigma"] = bmb.Prior("HalfNormal", sigma=SIGMA)
    else:
        formula, kind = f"p(y, trials) ~ {terms}", "binomial"
    model = bmb.Model(formula, frame.astype(dict.fromkeys(names, str)), family=kind, priors=priors)
    tree = model.fit(
        inference_method="nutpie", chains=CHAINS, tune=WARMUP, draws=DRAWS, random_seed=1,
        progressbar=False,
    )  # fmt: skip
    posterior, told = tree["posterior"], timer.told()
    return told | {
        "sds": np.stack([posterior[f"1|{name}_sigma"] for name in names], axis=-1),
        "levels": np.concatenate([posterior[f"1|{name}"] for name in names[:-1]], axis=-1),
        "diverging": tree["sample_stats"]["diverging"].to_numpy(),
    }


def with_nutpie(family: str, values: dict[str, Any], way: str) -> dict[str, Any]:
    """Sample a model of PyMC, written by hand, with nutpie."""
    import numpy as np
    import nutpie
    import pymc as pm

    y, F = values["y"], len(values["sizes"])
    timer = Timer()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, MU)
        tau = pm.HalfNormal("tau", TAU)
        center = mu
        for f, (code, size) in enumerate(zip(values["codes"], values["sizes"], strict=True)):
            sd = pm.HalfNormal(f"tau_{f}", TAU)
            if way == "centered":
                u = pm.Normal(f"u_{f}", 0, sd, shape=size)
            else:
                u = pm.Deterministic(f"u_{f}", sd * pm.Normal(f"z_{f}", 0, 1, shape=size))
            center = center + u[code]
        if family == "known":
            pm.Normal("y", center, pm.math.sqrt(tau**2 + values["se"] ** 2), observed=y)
        elif family == "rows":
            sigma = pm.HalfNormal("sigma", SIGMA)
            within = float(((y - y.mean(1, keepdims=True)) ** 2).sum())
            pm.Normal("y", center, pm.math.sqrt(tau**2 + sigma**2 / ROWS), observed=y.mean(1))
            freedom = len(y) * (ROWS - 1)
            pm.Potential("within", -freedom * pm.math.log(sigma) - within / (2 * sigma**2))
        else:
            z = pm.Normal("z", 0, 1, shape=len(y))
            pm.Binomial("y", n=TRIALS, logit_p=center + tau * z, observed=y)
    tree = nutpie.sample(
        nutpie.compile_pymc_model(model), chains=CHAINS, tune=WARMUP, draws=DRAWS, seed=1,
        progress_bar=False,
    )  # fmt: skip
    posterior, told = tree["posterior"], timer.told()
    names = ["tau", *(f"tau_{f}" for f in range(F))]
    return told | {
        "sds": np.stack([posterior[name] for name in names], axis=-1),
        "levels": np.concatenate([posterior[f"u_{f}"] for f in range(F)], axis=-1),
        "diverging": tree["sample_stats"]["diverging"].to_numpy(),
    }


def with_numpyro64(family: str, values: dict[str, Any], way: str) -> dict[str, Any]:
    import numpyro

    numpyro.set_host_device_count(CHAINS)
    numpyro.enable_x64()
    import jax
    import jax.numpy as jnp
    import numpy as np
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    y, F = values["y"], len(values["sizes"])
    within = float(((y - y.mean(-1, keepdims=True)) ** 2).sum()) if family == "rows" else 0.0

    def model() -> None:
        mu = numpyro.sample("mu", dist.Normal(0, MU))
        tau = numpyro.sample("tau", dist.HalfNormal(TAU))
        center = mu
        for f, (code, size) in enumerate(zip(values["codes"], values["sizes"], strict=True)):
            sd = numpyro.sample(f"tau_{f}", dist.HalfNormal(TAU))
            if way == "centered":
                u = numpyro.sample(f"u_{f}", dist.Normal(0, sd).expand([size]).to_event(1))
            else:
                z = numpyro.sample(f"z_{f}", dist.Normal(0, 1).expand([size]).to_event(1))
                u = numpyro.deterministic(f"u_{f}", sd * z)
            center = center + u[code]
        if family == "known":
            numpyro.sample("y", dist.Normal(center, jnp.sqrt(tau**2 + values["se"] ** 2)), obs=y)
        elif family == "rows":
            sigma = numpyro.sample("sigma", dist.HalfNormal(SIGMA))
            noise = jnp.sqrt(tau**2 + sigma**2 / ROWS)
            numpyro.sample("y", dist.Normal(center, noise), obs=y.mean(1))
            freedom = len(y) * (ROWS - 1)
            numpyro.factor("within", -freedom * jnp.log(sigma) - within / (2 * sigma**2))
        else:
            z = numpyro.sample("z", dist.Normal(0, 1).expand([len(y)]).to_event(1))
            numpyro.sample("y", dist.Binomial(TRIALS, logits=center + tau * z), obs=y)

    timer = Timer()
    chains = MCMC(
        NUTS(model), num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS, progress_bar=False
    )
    chains.run(jax.random.key(1), extra_fields=("diverging",))
    draws = chains.get_samples(group_by_chain=True)
    jax.block_until_ready(draws)
    names = ["tau", *(f"tau_{f}" for f in range(F))]
    return timer.told() | {
        "sds": np.stack([np.asarray(draws[name]) for name in names], axis=-1),
        "levels": np.concatenate([np.asarray(draws[f"u_{f}"]) for f in range(F)], axis=-1),
        "diverging": chains.get_extra_fields()["diverging"],
    }


FITS: dict[str, Callable[..., dict[str, Any]]] = {
    "hierstan": with_hierstan,
    "bambi": with_bambi,
    "nutpie": with_nutpie,
    "numpyro64": with_numpyro64,
}


if __name__ == "__main__":
    sys.exit(main())

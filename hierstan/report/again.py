"""How to get the same numbers again: versions, settings and a script."""

from __future__ import annotations

import os
import platform
from collections.abc import Hashable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES, default
from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit

PACKAGES = ("hierstan", "arviz-stats", "numpy", "pandas", "scipy")
CLASSES = {"complete": "CompletePooling", "none": "NoPooling", "partial": "PartialPooling"}
MAKERS = {
    "estimate": "from_estimates",
    "successes": "from_counts",
    "events": "from_events",
    "events_treatment": "from_arms",
    "outcome": "from_rows",
    "mean": "from_means",
    "rating": "from_ratings",
}


def versions() -> str:
    """Return what this page was written with."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # run from a folder without being installed
            continue
    return ", ".join(found)


def sampler(fit: Fit) -> str:
    """Return what drew a fit's draws: engine, seed and settings."""
    options = fit.options
    return (
        f"{fit.engine}, seed {fit.seed}; chains {options['chains']}, warmup {options['warmup']:,}, "
        f"draws {options['draws']:,} in each chain, adapt_delta {options['adapt_delta']:g}"
    )


def script(fits: Mapping[str, Fit], options: Mapping[str, Any]) -> str:
    """Return a script that makes the same fits and the same page.

    Parameters
    ----------
    fits : mapping of str to Fit
    options : mapping
        What `report` was given besides the fits and the path.
    """
    data = next(iter(fits.values())).data
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in options.items()}
    given = "".join(f", {name}={value!r}" for name, value in plain.items() if value is not None)
    return "\n".join(
        [
            "import hierstan as hs",
            "import pandas as pd",
            "",
            f'frame = pd.read_csv("data.csv")  # has the columns {_listed(data)}',
            _data(data),
            *_fits(fits),
            f'hs.report(fits, "report.html"{given})',
            "",
        ]
    )


# internals ------------------------------------------------------------------------------------


def _listed(data: GroupedData) -> str:
    names = [*_keys(data), *(name for role, name in data.columns.items() if role != "group")]
    return ", ".join(map(repr, names))


def _keys(data: GroupedData) -> list[Hashable]:
    """Return the columns of the groups."""
    several = isinstance(data.groups, pd.MultiIndex)
    return list(data.groups.names) if several else [data.columns["group"]]


def _data(data: GroupedData) -> str:
    maker = next(MAKERS[role] for role in data.columns if role in MAKERS)
    family = FAMILIES[data.family]
    own, usual = data.family, default(maker.removeprefix("from_"))
    if isinstance(family, Treatment):
        own = family.base.name
    numbered = ("predictor ", "factor ")
    roles = {role: repr(n) for role, n in data.columns.items() if not role.startswith(numbered)}
    keys = _keys(data)
    roles["group"] = repr(keys if len(keys) > 1 else keys[0])
    factors = [name for role, name in data.columns.items() if role.startswith("factor ")]
    if factors:
        roles["factors"] = repr(factors)
    if data.predictors is not None:
        roles["predictors"] = repr(data.predictors.columns.tolist())
    if maker == "from_rows" or own != usual:
        roles["family"] = repr(own)
    if data.arms is not None:
        maker, roles["control"] = "from_trial", repr(data.arms.tolist()[0])
    arguments = ", ".join(f"{role}={name}" for role, name in roles.items())
    return f"data = hs.GroupedData.{maker}(frame, {arguments})"


def _fits(fits: Mapping[str, Fit]) -> list[str]:
    """Return the lines that fit: the options once, if all fits have the same."""
    runs = {name: _run(fit) for name, fit in fits.items()}
    same = len(set(runs.values())) == 1
    first = [f"run = dict({next(iter(runs.values()))})"] if same else []
    lines = [
        f"    {name!r}: {_model(fit)}.fit(data, {'**run' if same else runs[name]}),"
        for name, fit in fits.items()
    ]
    return [*first, "fits = {", *lines, "}"]


def _run(fit: Fit) -> str:
    options = {"seed": fit.seed, **fit.options, "engine": fit.engine.split()[0].lower()}
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _model(fit: Fit) -> str:
    model = fit.model
    own: dict[str, str] = {}
    if model.priors:
        priors = ", ".join(f"{name!r}: hs.{prior!r}" for name, prior in model.priors.items())
        own["priors"] = f"{{{priors}}}"
    if model.template_dir is not None:
        own["template_dir"] = repr(os.fspath(model.template_dir))
    if getattr(model, "parameterization", "auto") != "auto":
        own["parameterization"] = repr(model.parameterization)
    if getattr(model, "factors", None) is not None:
        own["factors"] = repr(list(model.factors))
    made = ", ".join(f"{name}={value}" for name, value in own.items())
    return f"hs.{CLASSES[model.name]}({made})"

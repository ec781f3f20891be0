"""How to get the same numbers again: versions, settings and a script."""

from __future__ import annotations

import os
import platform
from collections.abc import Hashable, Mapping
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.two_part import TwoPartData
from hierstan.families import FAMILIES, default
from hierstan.fit.fit import Fit
from hierstan.fit.trust import parts
from hierstan.fit.two_part import TwoPartFit
from hierstan.priors import Prior
from hierstan.report.subject import Whole

PACKAGES = ("hierstan", "arviz-stats", "numpy", "pandas", "scipy")
CLASSES = {"complete": "CompletePooling", "none": "NoPooling", "partial": "PartialPooling"}
MAKERS = {  # by a role that it alone has: what makes the data
    "arm": "from_trial",
    "events_treatment": "from_arms",
    "rating": "from_ratings",
    "estimate": "from_estimates",
    "successes": "from_counts",
    "events": "from_events",
    "mean": "from_means",
    "outcome": "from_rows",
}
UNKNOWN = {  # arguments that data do not keep, by the role that they go with
    "lower": ("prob=..., ratios=...", "as they were given"),
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


def script(fits: Mapping[str, Whole], options: Mapping[str, object]) -> str:
    """Return a script that makes the same fits and the same page.

    Parameters
    ----------
    fits : mapping of str to Fit or TwoPartFit
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
            *([_data(data)] if isinstance(data, GroupedData) else []),
            *_fits(fits),
            f'hs.report(fits, "report.html"{given})',
            "",
        ]
    )


# internals ------------------------------------------------------------------------------------


def _listed(data: GroupedData | TwoPartData) -> str:
    names = [*_keys(data), *(name for role, name in data.columns.items() if role != "group")]
    return ", ".join(map(repr, names))


def _keys(data: GroupedData | TwoPartData) -> list[Hashable]:
    """Return the columns of the groups."""
    several = isinstance(data.groups, pd.MultiIndex)
    return list(data.groups.names) if several else [data.columns["group"]]


def _data(data: GroupedData) -> str:
    maker = next(name for role, name in MAKERS.items() if role in data.columns)
    numbered = ("predictor ", "factor ", "adjust ")
    roles = {role: repr(n) for role, n in data.columns.items() if not role.startswith(numbered)}
    keys = _keys(data)
    roles["group"] = repr(keys if len(keys) > 1 else keys[0])
    factors = [name for role, name in data.columns.items() if role.startswith("factor ")]
    if factors:
        roles["factors"] = repr(factors)
    if adjust := [name for role, name in data.columns.items() if role.startswith("adjust ")]:
        roles["adjust"] = repr(adjust)
    if data.predictors is not None:
        roles["predictors"] = repr(data.predictors.columns.tolist())
    base = FAMILIES[data.family].outcomes
    constructor, named = maker.removeprefix("from_"), base.name.removesuffix("_adjusted")
    if "outcome" in roles or (constructor in base.takes and named != default(constructor)):
        roles["family"] = repr(named)
    if maker == "from_estimates" and data.measure and "lower" not in roles:
        roles["measure"] = repr(data.measure)
    if data.categories is not None:
        roles["order"] = repr(data.categories.tolist())
        if "arm" in roles:
            roles["outcome"], roles["family"] = roles.pop("rating"), repr(default("ratings"))
    if "arm" in roles and data.arms is not None:
        roles["control"] = repr(data.arms.tolist()[0])
    unknown = [UNKNOWN[role] for role in UNKNOWN if role in roles]
    arguments = [
        *(f"{role}={name}" for role, name in roles.items()),
        *(call for call, _ in unknown),
    ]
    told = "".join(f"  # {call}: {words}" for call, words in unknown)
    return f"data = hs.GroupedData.{maker}(frame, {', '.join(arguments)}){told}"


def _fits(fits: Mapping[str, Whole]) -> list[str]:
    """Return the lines that fit: the options once, if all fits have the same."""
    runs = {name: _run(next(iter(parts(fit).values()))) for name, fit in fits.items()}
    same = len(set(runs.values())) == 1
    first = [f"run = dict({next(iter(runs.values()))})"] if same else []
    lines = [
        f"    {name!r}: {_model(fit)}.fit({_given(fit)}, {'**run' if same else runs[name]}),"
        for name, fit in fits.items()
    ]
    return [*first, "fits = {", *lines, "}"]


def _given(fit: Whole) -> str:
    if isinstance(fit, Fit):
        return "data"
    return ", ".join(["frame", *(f"{role}={name!r}" for role, name in fit.data.columns.items())])


def _run(fit: Fit) -> str:
    options = {"seed": fit.seed, **fit.options, "engine": fit.engine.split()[0].lower()}
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _model(fit: Whole) -> str:
    own: dict[str, str] = {}
    if isinstance(fit, TwoPartFit):
        both = fit.model
        own |= {"amounts": repr(both.amounts), "pooling": f"hs.{CLASSES[both.name]}"}
        if both.priors:
            of_parts = (f"{part!r}: {_priors(given)}" for part, given in both.priors.items())
            own["priors"] = f"{{{', '.join(of_parts)}}}"
        return f"hs.TwoPart({', '.join(f'{name}={value}' for name, value in own.items())})"
    model = fit.model
    if model.priors:
        own["priors"] = _priors(model.priors)
    if model.template_dir is not None:
        own["template_dir"] = repr(os.fspath(model.template_dir))
    if (how := getattr(model, "parameterization", "auto")) != "auto":
        own["parameterization"] = repr(how)
    if (factors := getattr(model, "factors", None)) is not None:
        own["factors"] = repr(list(factors))
    made = ", ".join(f"{name}={value}" for name, value in own.items())
    return f"hs.{CLASSES[model.name]}({made})"


def _priors(given: Mapping[str, Prior]) -> str:
    return f"{{{', '.join(f'{name!r}: hs.{prior!r}' for name, prior in given.items())}}}"

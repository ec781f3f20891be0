"""Whatever object meets whatever public function: an answer comes, or an error of our own."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hierstan as hs

QUICK = {"engine": "stanli", "progress": False, "chains": 1, "warmup": 150, "draws": 100, "seed": 1}
FEW = {"replicates": 10, "draws": 10, "n_jobs": 1, "engine": "stanli"}


@functools.cache
def objects() -> dict[str, Any]:
    """One of every kind of thing that the package gives to a user."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"shop": list("abcd") * 12, "spent": rng.gamma(2, 5, 48).round(1)})
    rows["region"] = np.where(rows["shop"] < "c", "north", "south")
    bought = rows.assign(spent=rows["spent"].where(rng.random(48) < 0.6, 0.0))
    pages = pd.DataFrame({"page": list("abcd"), "sold": [4, 9, 7, 12], "seen": [50, 60, 40, 70]})
    data = hs.GroupedData.from_counts(pages, group="page", successes="sold", trials="seen")
    fits = hs.fit_poolings(data, **QUICK)
    partial = fits["partial"]
    both = hs.TwoPart().fit(bought, group="shop", outcome="spent", **QUICK)
    arms = pd.concat([pages.assign(arm="old"), pages.assign(arm="new", sold=[6, 11, 7, 20])])
    names = {"successes": "sold", "trials": "seen", "arm": "arm", "control": "old"}
    trial = hs.GroupedData.from_trial(arms, group="page", **names)
    gamma = hs.GroupedData.from_rows(rows, group="shop", outcome="spent", family="gamma")
    return {
        "a table": pages,
        "data": data,
        "data of two parts": both.data,
        "rows": gamma,
        "a model": hs.PartialPooling(),
        "a model's class": hs.PartialPooling,
        "a model of two parts": hs.TwoPart(),
        "a prior": hs.Normal(0, 1),
        "fits": fits,
        **{f"a fit, {name}": fit for name, fit in fits.items()},
        "a fit of rows": hs.PartialPooling().fit(gamma, **QUICK),
        "a fit of two arms": hs.PartialPooling().fit(trial, **QUICK),
        "a fit of the prior": hs.PartialPooling().fit(data, prior_only=True, **QUICK),
        "a fit of two parts": both,
        "two-part fits": {"partial": both},
        "a comparison": hs.compare(fits, progress=False),
        "an elpd": hs.loo(partial, progress=False),
        "a diagnosis": hs.diagnose(partial),
        "a check": hs.check(partial),
        "heterogeneity": hs.heterogeneity(partial),
        "a prediction": hs.predict(partial, seed=1),
        "a curse": hs.winners_curse(partial, seed=1),
        "value remaining": hs.value_remaining(partial),
        "simulations": hs.simulate(data, replicates=2, seed=1),
        "draws": partial.idata,
        "a series": hs.prob_best(partial),
        "a number": 3.0,
        "a word": "partial",
        "nothing": None,
        "a list": [partial],
    }


@functools.cache
def functions() -> dict[str, Callable[..., Any]]:
    """Every public function; classes make things of their own."""
    found = {name: getattr(hs, name) for name in hs.__all__}
    return {name: f for name, f in found.items() if callable(f) and not inspect.isclass(f)}


def arguments(function: Callable[..., Any], folder: Path) -> dict[str, Any]:
    """Fill what a function must be told besides the object; and few draws where it fits."""
    fill = {
        "path": folder / "page.html", "control": "a", "than": 0.1, "k": 2, "caring": 0.1,
        "factor": "region", "group": "page", "weights": objects()["a table"],
        "progress": False, "seed": 1, **FEW,
    }  # fmt: skip
    parameters = list(inspect.signature(function).parameters.values())[1:]
    data = {"data": objects()["data"]}
    return {
        p.name: {**fill, **data}[p.name]
        for p in parameters
        if p.name in fill or (p.name in data and p.default is inspect.Parameter.empty)
    }


# What they make of fits takes seconds and has tests of its own.
COSTLY = ("compare", "cross_check", "loo", "prior_sensitivity", "report", "sbc")
TWO_PART = ("a fit of two parts", "two-part fits")
FITTED = (
    "fits",
    "a fit, complete",
    "a fit, none",
    "a fit, partial",
    "a fit of rows",
    "a fit of two arms",
    "a model",
)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIERSTAN_ENGINE", "stanli")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        yield
    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(functions()))
def test_any_object_is_answered_or_refused_in_our_words(name: str, tmp_path: Path) -> None:
    function, wrong = functions()[name], []
    given = arguments(function, tmp_path)
    for thing, made in objects().items():
        if name in COSTLY and thing in (*FITTED, *TWO_PART * (name == "report")):
            continue
        try:
            function(made, **given)
        except hs.HierstanError:
            continue
        except Exception as error:
            wrong.append((thing, type(error).__name__, str(error)[:80]))
    assert wrong == []


@pytest.mark.parametrize(
    ("thing", "cure"),
    [
        ("a fit of two parts", "plot_trace(fit.rate)"),
        ("fits", "plot_trace(fits['partial'])"),
        ("data", "hs.PartialPooling().fit(data)"),
        ("a model", "model.fit(data)"),
        ("a model's class", "hs.PartialPooling().fit(data)"),
        ("nothing", "model.fit(data)"),
    ],
)
def test_the_error_says_what_to_give(thing: str, cure: str) -> None:
    with pytest.raises(hs.HierstanError, match="^plot_trace takes a fit") as caught:
        hs.plot_trace(objects()[thing])
    assert cure in str(caught.value)

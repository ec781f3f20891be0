"""Read back what `Fit.save` wrote."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hierstan.data.two_part import joined
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit.fit import Fit
from hierstan.fit.saving import file, records
from hierstan.fit.saving.labels import to_label
from hierstan.fit.two_part import TwoPartFit
from hierstan.models.pooling import Pooling
from hierstan.models.poolings import CompletePooling, NoPooling, PartialPooling
from hierstan.models.two_part import PARTS, TwoPart
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.arrays import Sampled

if TYPE_CHECKING:
    import xarray as xr

MODELS: dict[str, type[Pooling]] = {
    model.__name__: model for model in (CompletePooling, NoPooling, PartialPooling)
}


def load(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that ``fit.save(path)`` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Fit or TwoPartFit
        With the same draws to the last bit, data, priors, programs and model. Nothing in the file
        is executed.

    Raises
    ------
    HierstanError
        If there is no such file, if it is damaged, was written by something else or by a newer
        hierstan.

    Examples
    --------
    >>> import tempfile, hierstan as hs
    >>> pumps = hs.load_dataset("pumps")
    >>> data = hs.GroupedData.from_events(pumps, group="pump", events="failures", exposure="hours")
    >>> fit = hs.CompletePooling().fit(data, seed=1, engine="stanli")
    >>> path = f"{tempfile.mkdtemp()}/fit.nc"
    >>> fit.save(path)
    >>> hs.load(path)
    <Fit: complete pooling of 10 groups, poisson, 4 x 1,000 draws>
    """
    tree = file.opened(path)
    with file.damage_reported(path):
        record = file.record_of(tree, path)
        if "parts" in record:  # rare, so that a type checker may take it for a Fit
            return cast(Fit, _two_part(tree, record, path))
        return _fit(tree, record)


# internals --------------------------------------------------------------------------------------


def _fit(tree: xr.DataTree, record: Mapping[str, object]) -> Fit:
    data = file.data_of(tree, record)
    prior_only = records.entry(record, "prior_only", bool)
    if ("prior" if prior_only else "posterior") not in tree.children:
        raise records.Damaged("the draws are missing")
    priors = records.to_priors(records.entry(record, "priors", dict))
    return Fit(
        model=_model(records.entry(record, "model", dict)),
        data=data,
        kept=Sampled(tree),
        priors=priors or {},
        engine=records.entry(record, "engine", str),
        seed=records.entry(record, "seed", int),
        options=_options(records.entry(record, "options", dict)),
        program=records.to_program(records.entry(record, "program", dict)),
        conditional=records.to_program(records.entry(record, "conditional", dict)),
        integrated=_integrated(records.entry(record, "integrated", (dict, type(None)))),
        parameterization=records.entry(record, "parameterization", (str, type(None))),
        prior_only=prior_only,
        note=records.entry(record, "note", str),
    )


def _two_part(
    tree: xr.DataTree, record: Mapping[str, object], path: str | os.PathLike[str]
) -> TwoPartFit:
    fits = {}
    for name in PARTS:
        if name not in tree.children:
            raise records.Damaged(f"the part {name!r} is missing")
        part = tree.children[name].copy()
        fits[name] = _fit(part, file.record_of(part, path))
    rate, amount = fits.values()
    raw = records.items(record.get("raw"), len(rate.data.groups), "the revenue per customer")
    known = set(rate.data.groups)
    if not known.issuperset(amount.data.groups) or any(
        isinstance(one, bool) or not isinstance(one, (int, float)) for one in raw
    ):
        raise records.Damaged("the two parts do not belong together")
    model = TwoPart(
        amounts=amount.data.family,
        pooling=MODELS[type(rate.model).__name__],
        priors=_priors_of(records.entry(record, "priors", (dict, type(None)))),
    )
    return TwoPartFit(model, joined(rate.data, amount.data, np.array(raw, float)), rate, amount)


def _priors_of(record: Mapping[str, object] | None) -> dict[str, dict[str, Prior]] | None:
    if record is None:
        return None
    return {part: records.to_priors(given) or {} for part, given in record.items()}


def _model(record: Mapping[str, object]) -> Pooling:
    name = records.entry(record, "class", str)
    if name not in MODELS:
        raise records.Damaged(f"{name!r} is not a model")
    known = {field.name for field in fields(MODELS[name])}
    arguments: dict[str, Any] = {key: value for key, value in record.items() if key != "class"}
    if set(arguments) != known:
        raise records.Damaged(f"{name} takes {', '.join(sorted(known))}")
    for key in known - {"priors", "factors"}:
        records.of_type(arguments[key], (str, type(None)), f"the entry {key!r}")
    if arguments.get("factors") is not None:
        arguments["factors"] = [
            to_label(name)
            for name in records.of_type(arguments["factors"], list, "the entry 'factors'")
        ]
    arguments["priors"] = records.to_priors(arguments["priors"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HierstanWarning)  # heard when the model was made
            return MODELS[name](**arguments)
    except HierstanError as error:
        raise records.Damaged(f"the model is impossible ({error})") from error


def _integrated(record: Mapping[str, object] | None) -> Program | None:
    return None if record is None else records.to_program(record)


def _options(record: Mapping[str, object]) -> dict[str, object]:
    for name in ("chains", "warmup", "draws"):
        records.entry(record, name, int)
    records.entry(record, "adapt_delta", (int, float))
    return dict(record)

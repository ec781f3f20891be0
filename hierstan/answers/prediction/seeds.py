"""Which predictions share their random numbers."""

from __future__ import annotations

from collections import Counter

from hierstan.answers.prediction.design import Study
from hierstan.fit.fit import Fit
from hierstan.fit.once import once
from hierstan.sampling.streams import stream


def seed_of(fit: Fit, study: Study, call: int = 0) -> int:
    """Return a seed for this study of this fit, that no other study has."""
    J, codes = len(fit.data.groups), study.cells["group"].to_numpy()
    numbers = study.cells.to_numpy(dtype=float)
    named = dict.fromkeys(study.labels[codes >= J])
    about = study.known
    known = [] if about is None else [about.x, about.level, about.fresh]
    known += [] if study.baselines is None else [study.baselines]
    return stream(fit.seed, fit.arrays, numbers, list(study.cells), list(named), *known, call)


def next_seed(fit: Fit, study: Study) -> int:
    """Return a seed that no earlier prediction of this fit had."""
    calls: Counter[int] = once(fit, (next_seed,), Counter)
    first = seed_of(fit, study)
    calls[first] += 1
    return first if calls[first] == 1 else seed_of(fit, study, calls[first])

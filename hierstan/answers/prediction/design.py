"""What is to be predicted: which groups, how many observations of each, and of what size."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.prediction import newcomers
from hierstan.answers.prediction.sizes import (
    arm_to_predict,
    known_baselines,
    spread,
    typical,
)
from hierstan.data.frames import as_pandas, hashable, is_frame
from hierstan.data.grouped_data import GroupedData
from hierstan.engines import MAX_SEED
from hierstan.errors import DataError, HierstanError
from hierstan.fit.centers import NewGroups, unknown_groups
from hierstan.fit.fit import Fit
from hierstan.text.wording import did_you_mean, listed, show

MAX_VALUES = 50_000_000  # draws x observations, 400 MB
LEAST_DRAWS = 400  # for which the draws are thinned where there are very many observations


@dataclass(frozen=True, eq=False)
class Study:
    """Observations to predict.

    Attributes
    ----------
    cells : pandas.DataFrame
        One line per observation: ``group``, in the order of the fit's groups and then of the new
        ones, and the columns of the family that a program has to be told.
    labels : pandas.Index
        The group of each observation.
    new_groups : int
        How many groups the fit has not seen.
    known : NewGroups or None
        What is known of them; None for nothing.
    baselines : numpy.ndarray or None
        Means of their control arms, (new_groups,), where these are known.
    """

    cells: pd.DataFrame
    labels: pd.Index
    new_groups: int
    known: NewGroups | None = None
    baselines: np.ndarray | None = None

    def design(self, fit: Fit) -> pd.DataFrame:
        """Return the size of each observation, and whether its group is new."""
        size = fit.family.predicted_size
        columns = {} if not size else {size: self.cells[size].to_numpy()}
        new = self.cells["group"].to_numpy() >= len(fit.data.groups)
        return pd.DataFrame({**columns, "new": new}, index=self.labels)


def plan(
    fit: Fit,
    new: object = None,
    *,
    groups: Sequence[Hashable] | None = None,
    new_groups: int | Sequence[Hashable] = 0,
    given: Mapping[str, object] | None = None,
    rows: object = 1,
    predictors: object = None,
) -> Study:
    """Work out which observations to predict; see `hierstan.predict`."""
    given = {name: value for name, value in (given or {}).items() if value is not None}
    if new is not None:
        given.update({} if predictors is None else {"predictors": predictors})
        if is_frame(new):
            frame = as_pandas(new, "new")
            return _of_frame(fit, frame, groups, new_groups, given, rows)
        _check_alone(groups, new_groups, given, rows)
        return _of_data(fit, new)
    fresh = _new_labels(fit, new_groups)
    codes = _known(fit, groups) if groups is not None or not fresh else np.array([], dtype=int)
    labels = fit.data.groups.take(codes)
    if fresh:
        labels = pd.Index([*labels, *fresh], name="group", tupleize_cols=False)
    if labels.empty:
        raise HierstanError("There is nothing to predict: groups= is empty and new_groups= is 0.")
    codes = np.append(codes, len(fit.data.groups) + np.arange(len(fresh)))
    treated = arm_to_predict(fit, given)
    baselines = known_baselines(fit, given, fresh, fit.data.groups)
    cells, known = pd.DataFrame({"group": codes, **treated}), fit.data.groups
    size = fit.family.predicted_size
    _check_given(fit, given, size)
    if size:
        own = typical(fit, size, codes, treated)
        cells[size] = spread(size, given[size], labels, known) if size in given else own
    if not _is_one(rows):
        times = spread("rows", rows, labels, known)
        thinned(fit, int(times.sum()))
        cells = cells.loc[cells.index.repeat(times)].reset_index(drop=True)
        labels = labels.repeat(times)
    if predictors is None:
        return Study(cells, labels, len(fresh), None, baselines)
    about = unknown_groups(fit, len(fresh), newcomers.standardized_of(fit, predictors, fresh))
    return Study(cells, labels, len(fresh), about, baselines)


def check_same(study: Study, design: pd.DataFrame) -> None:
    """Refuse to score a prediction of other observations than the data's."""
    sizes = [name for name in design.columns if name != "new"]
    same = len(design) == len(study.labels) and list(design.index) == list(study.labels)
    if not same or any((design[name].to_numpy() != study.cells[name]).any() for name in sizes):
        raise DataError(
            f"The prediction is of other observations than the {len(study.labels):,} of these "
            "data. Use score(fit, data), or score(predict(fit, data), data)."
        )


def thinned(fit: Fit, N: int) -> slice:
    """Return which draws of each chain there is room for, of so many observations.

    Raises
    ------
    HierstanError
        If there is no room for 400 in all.
    """
    chains, draws = fit.arrays.sizes["chain"], fit.arrays.sizes["draw"]
    every = max(-(-chains * draws * N // MAX_VALUES), 1)
    if every > 1 and chains * (draws // every) < LEAST_DRAWS:
        raise HierstanError(
            f"{N:,} observations x {LEAST_DRAWS} draws are more than {MAX_VALUES:,} values. "
            "Predict some of the groups at a time (groups=), or fewer rows of each."
        )
    return slice(every - 1, None, every)


def check_seed(seed: object) -> int:
    """Return the seed if it is one."""
    whole = None if isinstance(seed, bool) else seed
    if not isinstance(whole, (int, np.integer)) or not 1 <= whole <= MAX_SEED:
        raise HierstanError(f"seed= must be a whole number from 1 to {MAX_SEED}, got {seed!r}.")
    return int(whole)


# internals ------------------------------------------------------------------------------------


def _of_data(fit: Fit, new: object) -> Study:
    if not isinstance(new, GroupedData):
        raise DataError(
            f"New observations must be a GroupedData, or a dataframe with a line per group; "
            f"got {type(new).__name__}. Make the first with "
            "GroupedData.from_estimates, .from_counts, .from_events or .from_rows."
        )
    if new.family != fit.data.family:
        raise DataError(
            f"The fit is of {fit.data.family} data, the new data are {new.family}. Make them with "
            "the same constructor and family."
        )
    scales = [[] if d.categories is None else d.categories.tolist() for d in (fit.data, new)]
    if scales[0] != scales[1]:
        raise DataError(
            f"The fit is of ratings {listed(scales[0], 11)}, the new ones are "
            f"{listed(scales[1], 11)}. State the whole scale of both, with order=[...]."
        )
    if new.rows is None:
        raise DataError(
            f"These {new.n_rows:,} rows came as, or were reduced to, {len(new.cells):,} summaries, "
            "and cannot be predicted one by one. Take rows, a sample of 20,000 at most."
        )
    codes, is_new, fresh = newcomers.coded(fit, new.groups)
    own = new.rows["group"].to_numpy()
    x = None
    if fit.data.predictors is not None and fresh:
        found = pd.DataFrame(index=new.groups) if new.predictors is None else new.predictors
        x = newcomers.standardized_of(fit, found.loc[is_new], fresh)
    factors = pd.DataFrame(index=new.groups) if new.factors is None else new.factors
    about = newcomers.described(fit, factors[is_new].reset_index(drop=True), x) if fresh else None
    return Study(new.rows.assign(group=codes[own]), new.groups[own], len(fresh), about)


def _of_frame(
    fit: Fit,
    frame: pd.DataFrame,
    groups: object,
    new_groups: object,
    given: Mapping[str, object],
    rows: object,
) -> Study:
    """Return one observation of each group in a frame with their labels, factors and predictors."""
    _check_alone(groups, new_groups, {}, rows)
    labels = newcomers.group_labels(fit.data, frame)
    if labels.has_duplicates:
        doubled = labels[labels.duplicated()].unique().tolist()
        raise DataError(
            f"Groups come more than once: {listed(doubled)}. A dataframe has one line per group; "
            "several observations of each are a GroupedData, made as that of the fit was."
        )
    codes, is_new, fresh = newcomers.coded(fit, labels)
    predictors = given.get("predictors")
    sizes = {name: value for name, value in given.items() if name != "predictors"}
    treated = arm_to_predict(fit, sizes)
    baselines = known_baselines(fit, sizes, fresh, fit.data.groups)
    cells, size = pd.DataFrame({"group": codes, **treated}), fit.family.predicted_size
    _check_given(fit, sizes, size)
    if size:
        role = fit.family.outcomes.role_of(size, fit.data.columns)
        if role and (column := fit.data.columns[role]) in frame:
            sizes.setdefault(size, frame[column].to_numpy())
        own = typical(fit, size, codes, treated)
        known = fit.data.groups
        cells[size] = spread(size, sizes[size], labels, known) if size in sizes else own
    if not fresh:
        return Study(cells, labels, 0)
    x = None
    if fit.data.standards is not None:
        lines = newcomers.predictors_of(fit, frame.loc[is_new])
        x = newcomers.standardized_of(fit, lines if predictors is None else predictors, fresh)
    about = newcomers.described(fit, frame.loc[is_new].reset_index(drop=True), x)
    return Study(cells, labels, len(fresh), about, baselines)


def _check_alone(
    groups: object, new_groups: object, given: Mapping[str, object], rows: object
) -> None:
    other = list(given)
    other += ["groups"] * (groups is not None) + ["rows"] * (not _is_one(rows))
    other += ["new_groups"] * (not isinstance(new_groups, int) or new_groups != 0)
    if other:
        raise HierstanError(
            f"{', '.join(f'{name}=' for name in sorted(other))} cannot be given beside new data, "
            "which say it all."
        )


def _is_one(rows: object) -> bool:
    return isinstance(rows, (int, np.integer)) and not isinstance(rows, bool) and rows == 1


def _known(fit: Fit, groups: Sequence[Hashable] | None) -> np.ndarray:
    if groups is None:
        return np.arange(len(fit.data.groups))
    if isinstance(groups, str) or not hasattr(groups, "__len__"):
        raise HierstanError(f"groups= takes a list of labels, got {show(groups)}.")
    code_of = {label: code for code, label in enumerate(fit.data.groups)}
    unknown = [label for label in groups if not hashable(label) or label not in code_of]
    if unknown:
        hint = did_you_mean(unknown[0], list(code_of))
        raise DataError(
            f"The fit has no group {listed(unknown)}.{hint} Its groups are "
            f"{listed(list(code_of), 8)}. A group not yet seen goes into new_groups=."
        )
    return np.array([code_of[label] for label in groups], dtype=int)


def _new_labels(fit: Fit, new_groups: object) -> list[Hashable]:
    if isinstance(new_groups, (int, np.integer)) and not isinstance(new_groups, bool):
        if new_groups < 0:
            raise HierstanError(f"new_groups= cannot be negative, got {new_groups}.")
        labels: list[Hashable] = [f"new group {number}" for number in range(1, new_groups + 1)]
    elif hasattr(new_groups, "columns"):
        raise HierstanError(
            "new_groups= takes a number or labels, got a dataframe. One with a line per group goes "
            "into new=."
        )
    elif isinstance(new_groups, (str, bool)) or not (
        isinstance(new_groups, Iterable) and hasattr(new_groups, "__len__")
    ):
        raise HierstanError(f"new_groups= takes a number or labels, got {show(new_groups)}.")
    else:
        labels = list(new_groups)
    known = set(fit.data.groups)
    clash = [label for label in labels if not hashable(label) or label in known]
    if clash or len(set(labels)) < len(labels):
        raise DataError(
            f"new_groups= needs labels that differ from each other and from the fit's groups; got "
            f"{listed(clash or labels)}."
        )
    return labels


def _check_given(fit: Fit, given: Mapping[str, object], size: str) -> None:
    useless = sorted(set(given) - {size})
    if useless:
        needs = f"their observations take {size}=" if size else "their observations are single rows"
        raise HierstanError(
            f"{', '.join(f'{name}=' for name in useless)} means nothing for {fit.data.family} "
            f"data: {needs}."
        )

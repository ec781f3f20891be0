"""Draws as plain arrays whose dimensions have names, and as a DataTree once one is asked for.

Importing xarray takes longer than a small fit, and no answer of hierstan needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import xarray as xr

SAMPLE = ("chain", "draw")


class Arrays(Mapping[str, np.ndarray]):
    """Arrays by their names, each with the names of its dimensions.

    Parameters
    ----------
    values : mapping of str to numpy.ndarray
    dims : mapping of str to tuple of str
        Those of each array.
    coords : mapping of str to (str, numpy.ndarray)
        Labels along a dimension: the dimension and the labels, by the coordinate's name.

    Examples
    --------
    >>> import numpy as np
    >>> draws = Arrays({"mu": np.zeros((4, 100))}, {"mu": ("chain", "draw")})
    >>> draws["mu"].shape, draws.sizes, "tau" in draws
    ((4, 100), {'chain': 4, 'draw': 100}, False)
    """

    def __init__(
        self,
        values: Mapping[str, np.ndarray],
        dims: Mapping[str, Sequence[str]],
        coords: Mapping[str, tuple[str, np.ndarray]] | None = None,
    ) -> None:
        self._values = dict(values)
        self.dims = {name: tuple(dims[name]) for name in values}
        used = {dim for each in self.dims.values() for dim in each}
        self.coords = {name: kept for name, kept in (coords or {}).items() if kept[0] in used}
        self.attrs = {
            "created_at": datetime.now(UTC).isoformat(),
            "creation_library": "hierstan",
            "creation_library_language": "Python",
        }

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def sizes(self) -> dict[str, int]:
        """The length of each dimension."""
        each = [zip(self.dims[name], values.shape, strict=True) for name, values in self.items()]
        return {dim: length for one in each for dim, length in one}

    def labels(self, dim: str) -> pd.Index:
        """Return the labels along a dimension, its positions where it has none."""
        if dim not in self.coords:
            return pd.RangeIndex(self.sizes[dim])
        values = self.coords[dim][1]
        kind = object if values.dtype.kind in "OU" else None  # not every text is one of Arrow's
        return pd.Index(values, dtype=kind, tupleize_cols=False)

    def with_values(self, values: Mapping[str, np.ndarray]) -> Arrays:
        """Return the same with other values in some arrays."""
        return Arrays({**self, **values}, self.dims, self.coords)

    def joined(self, other: Arrays) -> Arrays:
        """Return these arrays and those of another."""
        return Arrays(
            {**self, **other}, {**self.dims, **other.dims}, {**self.coords, **other.coords}
        )

    def only(self, names: Sequence[str]) -> Arrays:
        """Return some of the arrays."""
        return Arrays({name: self[name] for name in names}, self.dims, self.coords)

    def dataset(self) -> xr.Dataset:
        """Return the same for ArviZ; a dimension without labels is numbered."""
        import xarray as xr

        named = {name: (self.dims[name], values) for name, values in self.items()}
        numbered = {
            dim: (dim, np.arange(length))
            for dim, length in self.sizes.items()
            if dim not in self.coords
        }
        return xr.Dataset(named, {**numbered, **self.coords}, self.attrs)

    @staticmethod
    def of(draws: xr.Dataset | Arrays) -> Arrays:
        """Return the arrays of a dataset, chain and draw first."""
        if isinstance(draws, Arrays):
            return draws
        inner = [str(dim) for dim in draws.dims if dim not in SAMPLE]
        order = [dim for dim in SAMPLE if dim in draws.dims] + inner
        found = {}
        for name, variable in draws.data_vars.items():
            rest = [dim for dim in variable.dims if dim not in SAMPLE]
            first = [dim for dim in order if dim in SAMPLE and dim in variable.dims]
            found[str(name)] = variable.variable.transpose(*first, *rest)
        return Arrays(
            {name: variable.to_numpy() for name, variable in found.items()},
            {name: tuple(map(str, variable.dims)) for name, variable in found.items()},
            {
                str(name): (str(labels.dims[0]), labels.to_numpy())
                for name, labels in draws.coords.items()
                if labels.ndim == 1
            },
        )


class Sampled:
    """What was sampled, in groups by the names that ArviZ gives them.

    Parameters
    ----------
    groups : mapping of str to Arrays, or xarray.DataTree

    Examples
    --------
    >>> import numpy as np
    >>> mu = Arrays({"mu": np.zeros((4, 100))}, {"mu": ("chain", "draw")})
    >>> kept = Sampled({"posterior": mu})
    >>> kept.arrays("posterior")["mu"].shape, "prior" in kept
    ((4, 100), False)
    >>> kept.tree["posterior"]["mu"].dims
    ('chain', 'draw')
    """

    def __init__(self, groups: Mapping[str, Arrays] | xr.DataTree) -> None:
        self._groups = groups

    def __contains__(self, group: str) -> bool:
        return group in self._groups

    def arrays(self, group: str) -> Arrays:
        """Return the arrays of a group, from the tree if there is one: it may have been changed."""
        found: Any = self._groups[group]
        return found if isinstance(found, Arrays) else Arrays.of(found.to_dataset())

    def replace(self, group: str, arrays: Arrays) -> None:
        """Put other arrays in the place of a group's."""
        made: Any = arrays if isinstance(self._groups, dict) else arrays.dataset()
        groups: Any = self._groups
        groups[group] = made

    @property
    def tree(self) -> xr.DataTree:
        """All groups as a DataTree, which from now on is what is kept."""
        if isinstance(self._groups, dict):
            import xarray as xr

            made = {name: arrays.dataset() for name, arrays in self._groups.items()}
            self._groups = xr.DataTree.from_dict(made)
        return self._groups  # type: ignore[return-value]

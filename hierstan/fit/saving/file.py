"""One netCDF file a fit: written as a whole or not at all, and read with suspicion.

The file is a DataTree that ArviZ reads by itself. What ArviZ has no place for stands beside it: the
attribute ``hierstan`` of the root holds a record in JSON, the groups ``cells`` and ``rows`` hold
the data that the model was fitted to.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.fit.saving.data import (
    TABLES,
    coordinate_kind,
    from_data,
    readable,
    restore_coordinate,
    tables,
    to_data,
)
from hierstan.fit.saving.records import Damaged, entry, parsed
from hierstan.whole_file import as_path

if TYPE_CHECKING:
    import xarray as xr

ATTRIBUTE = "hierstan"
FORMAT = 1  # raised when an older hierstan could not read the file any more
MAGIC = b"\x89HDF\r\n\x1a\n"


def write(path: str | os.PathLike[str], tree: xr.DataTree) -> None:
    """Write what `packed` or `packed_parts` made to one file.

    Raises
    ------
    HierstanError
        If the folder is missing or not writable. An existing file is replaced once the new one is
        complete, and untouched otherwise.
    """
    _write_whole(as_path(path, "save"), tree)


def packed(tree: xr.DataTree, data: GroupedData, record: dict) -> xr.DataTree:
    """Put a fit's draws, data and record into one tree.

    Raises
    ------
    HierstanError
        If something cannot be kept.
    """
    taken = sorted(set(TABLES) & set(tree.children))
    if taken:
        raise HierstanError(f"fit.idata has a group {taken[0]!r}; that name is taken. Rename it.")
    kept = {"format": FORMAT, "hierstan": _version(), **record, "data": from_data(data)}
    kept["coordinate"] = coordinate_kind(tree)
    copy = tree.copy()
    for node in copy.subtree:
        if "group" in node.coords:
            labelled = node.to_dataset().assign_coords(group=readable(data.groups))
            spaced = [name for name in labelled.coords if " " in str(name)]
            node.dataset = labelled.reset_coords([n for n in spaced if n not in labelled.dims])
    for name, table in tables(data).items():
        copy[name] = table
    copy.attrs = {**tree.attrs, ATTRIBUTE: json.dumps(kept, allow_nan=False)}
    return copy


def packed_parts(parts: Mapping[str, xr.DataTree], record: dict) -> xr.DataTree:
    """Put the trees of several fits, by their names, below one root that holds the record."""
    import xarray as xr

    kept = {"format": FORMAT, "hierstan": _version(), "parts": list(parts), **record}
    root = xr.DataTree(children=dict(parts))
    root.attrs[ATTRIBUTE] = json.dumps(kept, allow_nan=False)
    return root


def opened(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read a file that `write` wrote into memory.

    Raises
    ------
    HierstanError
        If there is no such file, if it is damaged, or if hierstan did not write it.
    """
    file = as_path(path, "load")
    tree = _opened(file)
    if ATTRIBUTE not in tree.attrs:
        raise HierstanError(
            f"{file} was not written by fit.save: it lacks the data and the model. Open it with "
            "xarray.open_datatree(path, engine='h5netcdf')."
        )
    return tree


def record_of(tree: xr.DataTree, file: str | os.PathLike[str]) -> dict[str, Any]:
    """Take the record out of a tree.

    Raises
    ------
    HierstanError
        If a newer hierstan wrote it.
    """
    record = parsed(tree.attrs.pop(ATTRIBUTE, None))
    if entry(record, "format", int) > FORMAT:
        raise HierstanError(
            f"{file} was written by hierstan {record.get('hierstan')!s:.20}, which is newer "
            "than this one. Upgrade it: pip install --upgrade hierstan."
        )
    return record


def data_of(tree: xr.DataTree, record: Mapping[str, Any]) -> GroupedData:
    """Take the data out of a tree, and give its groups their labels back."""
    data = to_data(entry(record, "data", dict), tree)
    for name in TABLES:
        if name in tree.children:
            del tree[name]
    restore_coordinate(tree, data.groups, entry(record, "coordinate", str))
    return data


@contextmanager
def damage_reported(file: str | os.PathLike[str]) -> Iterator[None]:
    """Say which file it is whose record `write` cannot have written."""
    try:
        yield
    except (Damaged, RecursionError) as error:
        raise HierstanError(
            f"{file} is damaged or was changed after fit.save: {str(error)[:300]}. "
            "Fit and save again, or restore the file from a copy."
        ) from error


# internals --------------------------------------------------------------------------------------


class _Watched(io.BufferedRandom):
    """A file that remembers a failed write, which HDF5 may pass over in silence when it closes."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, and remember if that fails."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise

    def finish(self) -> None:
        """Make sure that everything has reached the disk."""
        self.flush()
        os.fsync(self.fileno())
        if self.failure is not None:
            raise self.failure


def _write_whole(path: Path, tree: xr.DataTree) -> None:
    """Write beside the target, then put the file in its place in one step."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise HierstanError(f"{path} is a folder. Give the name of a file, such as fit.nc, in it.")
    if not target.parent.is_dir():
        raise HierstanError(f"The folder {target.parent} does not exist. Make it first.")
    temporary = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}.tmp")
    try:
        with _Watched(io.FileIO(temporary, "x+")) as file:
            tree.to_netcdf(file, engine="h5netcdf")
            file.finish()
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except (OSError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise HierstanError(
            f"{path} could not be written: {error}. A file that was there before is unchanged. "
            "Check the free space, the folder's permissions, and what was added to fit.idata."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("hierstan")
    except PackageNotFoundError:
        return "of unknown version"


def _opened(file: Path) -> xr.DataTree:
    """Read a netCDF file into memory."""
    import xarray as xr

    if not file.is_file():
        what = "is a folder, not a file" if file.is_dir() else "does not exist"
        raise HierstanError(f"{file} {what}. Give the file that fit.save(path) wrote.")
    try:
        with file.open("rb") as opened:
            if opened.read(len(MAGIC)) != MAGIC:
                raise HierstanError(
                    f"{file} is not a netCDF file that fit.save wrote; it may be cut off, or of "
                    "another kind. Save the fit again with fit.save(path)."
                )
        with xr.open_datatree(file, engine="h5netcdf") as lazy:
            nodes = {
                node.path: node.to_dataset(inherit=False).load().drop_encoding()
                for node in lazy.subtree
            }
    except HierstanError:
        raise
    except Exception as error:  # whatever the three libraries below make of broken bytes
        raise HierstanError(
            f"{file} is damaged or incomplete and cannot be read: {str(error)[:300]}. "
            "Fit and save again, or restore the file from a copy."
        ) from error
    return xr.DataTree.from_dict(nodes)

"""Fits from files: what comes back, and files that are not what they should be."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from saved import again, assert_same, fitted, names
from schools import eight_schools

import hierstan as hs


def test_a_loaded_model_fits_to_the_same_draws(tmp_path: Path) -> None:
    priors = {"mu": hs.StudentT(3, 1.5, 10), "tau": hs.Exponential(0.1)}
    model = hs.PartialPooling(priors=priors, parameterization="noncentered")
    fit = fitted(model, eight_schools())
    back = again(fit, tmp_path)
    assert back.model.parameterization == "noncentered"
    np.testing.assert_array_equal(fitted(back.model, back.data).draws("theta"), fit.draws("theta"))


def test_loading_does_not_warn_again(tmp_path: Path) -> None:
    with pytest.warns(hs.HierstanWarning, match="favours large"):
        model = hs.PartialPooling(priors={"tau": hs.Uniform(0, 50)})
    fit = fitted(model, eight_schools())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert again(fit, tmp_path).priors["tau"] == hs.Uniform(0, 50)


@pytest.fixture(scope="module")
def fit() -> hs.Fit:
    return fitted(hs.PartialPooling(), eight_schools())


@pytest.fixture
def saved(fit: hs.Fit, tmp_path: Path) -> Path:
    fit.save(tmp_path / "fit.nc")
    return tmp_path / "fit.nc"


def test_a_loaded_fit_lets_go_of_its_file(saved: Path, fit: hs.Fit) -> None:
    back = hs.load(saved)
    saved.unlink()
    assert_same(fit, back)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(hs.HierstanError, match=r"missing\.nc does not exist\. Give the file"):
        hs.load(tmp_path / "missing.nc")
    with pytest.raises(hs.HierstanError, match="is a folder, not a file"):
        hs.load(tmp_path)


class Trap:
    """A pickle that would leave a trace."""

    def __reduce__(self) -> tuple:
        return (os.mkdir, ("trap-has-sprung",))


@pytest.mark.parametrize("content", [b"", b"group,effect\nA,1\n", b"\x89HDF\r\n\x1a\n", b"CDF\x01"])
def test_other_kinds_of_files(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "fit.nc"
    file.write_bytes(content)
    with pytest.raises(hs.HierstanError, match=r"fit\.nc is (not a netCDF file|damaged)"):
        hs.load(file)


def test_a_pickle_is_not_opened(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fit.nc").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(hs.HierstanError, match="not a netCDF file"):
        hs.load("fit.nc")
    assert names(Path()) == ["fit.nc"]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
def test_a_file_that_is_cut_off(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(hs.HierstanError, match="damaged or incomplete"):
        hs.load(saved)


def test_somebody_elses_file(tmp_path: Path) -> None:
    file = tmp_path / "fit.nc"
    xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": 1.0})}).to_netcdf(file, engine="h5netcdf")
    with pytest.raises(hs.HierstanError, match=r"not written by fit\.save.*xarray\.open_datatree"):
        hs.load(file)


def changed(saved: Path, change: Callable[[dict], Any]) -> None:
    """Rewrite the record of a saved fit."""
    import h5py

    with h5py.File(saved, "r+") as file:
        record = json.loads(file.attrs["hierstan"])
        result = change(record)
        file.attrs["hierstan"] = json.dumps(record) if result is None else result


def test_a_newer_file_asks_for_an_upgrade(saved: Path) -> None:
    changed(saved, lambda record: record.update(format=2, hierstan="9.9.9"))
    with pytest.raises(
        hs.HierstanError, match=r"by hierstan 9\.9\.9.*pip install --upgrade hierstan"
    ):
        hs.load(saved)


def nested(depth: int) -> str:
    return '{"format": 1, "a": ' + "[" * depth + "]" * depth + "}"


CHANGES: dict[str, Callable[[dict], Any]] = {
    "no JSON": lambda record: "{",
    "a list": lambda record: "[]",
    "a number": lambda record: 7,
    "bytes": lambda record: np.bytes_(b"\xff\xfe"),
    "nested deeply": lambda record: nested(200_000),
    "a huge number": lambda record: '{"format": 1' + "0" * 5000 + "}",
    "not a number": lambda record: '{"format": NaN}',
    "a true format": lambda record: record.update(format=True),
    "no format": lambda record: record.pop("format") and None,
    "an unknown model": lambda record: record["model"].update({"class": "os.system"}),
    "a model with more": lambda record: record["model"].update(more=1),
    "a model with less": lambda record: record["model"].pop("priors"),
    "an impossible model": lambda record: record["model"].update(parameterization="sideways"),
    "template_dir": lambda record: record["model"].update(template_dir=["a"]),
    "an unknown prior": lambda record: record["priors"]["mu"].update(kind="Prior"),
    "a prior's dunder": lambda record: record["priors"]["mu"].update(kind="__class__"),
    "a prior's kind": lambda record: record["priors"]["mu"].update(kind=["Normal"]),
    "a prior's numbers": lambda record: record["priors"]["mu"].update(scale=-1),
    "a prior's names": lambda record: record["priors"]["mu"].update(evil=1),
    "a prior of text": lambda record: record["priors"].update(mu="Normal(0, 1)"),
    "seed": lambda record: record.update(seed="1"),
    "options": lambda record: record["options"].update(draws=None),
    "prior_only": lambda record: record.update(prior_only=1),
    "other draws": lambda record: record.update(prior_only=True),
    "family": lambda record: record["data"].update(family="cauchy"),
    "other family": lambda record: record["data"].update(family="binomial"),
    "fewer labels": lambda record: record["data"]["groups"]["labels"].pop() and None,
    "more labels": lambda record: record["data"]["groups"]["labels"].append("I"),
    "unknown label": lambda record: record["data"]["groups"]["labels"].append({"eval": "1"}),
    "label of two kinds": lambda record: record["data"]["groups"]["labels"].append(
        {"a": 1, "b": 2}
    ),
    "no float": lambda record: record["data"]["groups"]["labels"].append({"float": []}),
    "no time": lambda record: record["data"]["groups"]["labels"].append({"timestamp": [1, "x", 3]}),
    "no number": lambda record: record["data"]["groups"]["labels"].append({"numpy": ["O", 3]}),
    "large number": lambda record: record["data"]["groups"]["labels"].append(
        {"numpy": ["i1", 300]}
    ),
    "rows": lambda record: record["data"].update(rows="elsewhere"),
    "own rows": lambda record: record["data"].update(rows="own"),
    "coordinate": lambda record: record.update(coordinate="Z"),
    "origins": lambda record: record["program"].update(origins=[[1, 2, 3]]),
    "code": lambda record: record["program"].update(code=None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_record_that_was_changed(saved: Path, name: str) -> None:
    changed(saved, CHANGES[name])
    with pytest.raises(hs.HierstanError, match=r"is damaged|newer|not written by") as caught:
        hs.load(saved)
    assert len(str(caught.value)) < 1000


def test_labels_nested_deeply(saved: Path) -> None:
    text = '{"tuple": [' * 400 + '"x"' + "]}" * 400
    marked = '"A"'

    def nest(record: dict) -> str:
        return json.dumps(record).replace(marked, text, 1)

    changed(saved, nest)
    with pytest.raises(hs.HierstanError, match="damaged"):
        hs.load(saved)


def test_cells_that_were_changed(saved: Path) -> None:
    import h5py

    with h5py.File(saved, "r+") as file:
        file["cells/group"][0] = 99
    with pytest.raises(hs.HierstanError, match="'cells' refers to groups that there are not"):
        hs.load(saved)
    with h5py.File(saved, "r+") as file:
        del file["cells/se"]
    with pytest.raises(hs.HierstanError, match="'cells' should hold group, se, y"):
        hs.load(saved)


def test_an_unknown_dtype_of_labels_falls_back(saved: Path, fit: hs.Fit) -> None:
    # a file of a pandas that has a type this one lacks
    changed(saved, lambda record: record["data"]["groups"].update(dtype="str256"))
    assert hs.load(saved).data.groups.tolist() == fit.data.groups.tolist()


@pytest.mark.slow
def test_loading_unpickles_nothing(saved: Path) -> None:
    code = f"""
import sys
events = []
import hierstan as hs
hs.load({str(saved)!r})
sys.addaudithook(lambda event, args: events.append(event) if event.startswith("pickle") else None)
hs.load({str(saved)!r})
print(events)
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "[]\n"

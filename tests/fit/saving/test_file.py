"""A fit that was saved and loaded is the same fit; files that are anything else are refused."""

from __future__ import annotations

import datetime
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from saved import again, assert_same, fitted, names
from schools import eight_schools

import hierstan as hs

FAMILIES = ("normal", "student_t", "bernoulli", "poisson", "neg_binomial", "lognormal", "gamma")


MODELS = {"complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling}


def baseball() -> hs.GroupedData:
    return hs.GroupedData.from_counts(
        hs.load_dataset("baseball"), group="player", successes="hits", trials="at_bats"
    )


def rows_of(family: str) -> hs.GroupedData:
    rng = np.random.default_rng(3)
    outcome = {
        "bernoulli": rng.integers(0, 2, 60),
        "poisson": rng.poisson(3, 60),
        "neg_binomial": rng.poisson(3, 60),
    }.get(family, np.exp(rng.normal(size=60)))
    frame = pd.DataFrame({"g": np.repeat(list("abcdef"), 10), "out": outcome})
    return hs.GroupedData.from_rows(frame, group="g", outcome="out", family=family)


def of_labels(labels: Any) -> hs.GroupedData:
    n = len(labels)
    frame = pd.DataFrame({"g": labels, "e": np.arange(n) * 1.0, "se": 1.0})
    return hs.GroupedData.from_estimates(frame, group="g", estimate="e", se="se")


@pytest.mark.parametrize("pooling", MODELS)
@pytest.mark.parametrize("data", [eight_schools, baseball])
def test_every_pooling_comes_back(tmp_path: Path, pooling: str, data: Callable) -> None:
    fit = fitted(MODELS[pooling](), data())
    assert_same(fit, again(fit, tmp_path))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_rows_comes_back(tmp_path: Path, family: str) -> None:
    fit = fitted(hs.PartialPooling(), rows_of(family))
    assert_same(fit, again(fit, tmp_path))


def test_events_come_back(tmp_path: Path) -> None:
    data = hs.GroupedData.from_events(
        hs.load_dataset("pumps"), group="pump", events="failures", exposure="hours"
    )
    fit = fitted(hs.PartialPooling(), data)
    assert_same(fit, again(fit, tmp_path))


def test_rows_that_are_gone_stay_gone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": np.arange(30_000) % 3, "out": rng.normal(size=30_000)})
    fit = fitted(hs.PartialPooling(), hs.GroupedData.from_rows(frame, group="g", outcome="out"))
    assert fit.data.rows is None
    assert_same(fit, again(fit, tmp_path))


def test_draws_from_the_prior_come_back(tmp_path: Path) -> None:
    fit = fitted(hs.PartialPooling(), eight_schools(), prior_only=True)
    assert_same(fit, again(fit, tmp_path))


@pytest.mark.cmdstan
def test_draws_of_cmdstan_come_back(tmp_path: Path) -> None:
    fit = fitted(hs.PartialPooling(), eight_schools(), engine="cmdstan")
    assert fit.engine.startswith("CmdStan")
    assert_same(fit, again(fit, tmp_path))


def test_a_loaded_fit_can_be_saved_again(tmp_path: Path) -> None:
    fit = fitted(hs.PartialPooling(), eight_schools())
    back = again(again(fit, tmp_path), tmp_path)
    assert_same(fit, back)


def test_answers_of_a_loaded_fit_are_the_same(tmp_path: Path) -> None:
    fit = fitted(hs.PartialPooling(priors={"tau": hs.HalfCauchy(5)}), baseball())
    back = again(fit, tmp_path)
    pd.testing.assert_frame_equal(hs.summary(fit), hs.summary(back))
    assert hs.diagnose(fit).messages == hs.diagnose(back).messages
    ours, theirs = hs.loo(fit), hs.loo(back)
    assert (ours.elpd, ours.se) == (theirs.elpd, theirs.se)
    np.testing.assert_array_equal(ours.elpd_i, theirs.elpd_i)


PRIORS = (
    hs.HalfNormal(1.1), hs.HalfStudentT(3, 1.1), hs.HalfCauchy(1.1), hs.Exponential(1.1),
    hs.Gamma(2, 0.3), hs.InverseGamma(3, 1.1), hs.LogNormal(0.1, 1.1),
    hs.TruncatedNormal(1.2, 0.5),
)  # fmt: skip


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_every_prior_comes_back(tmp_path: Path, prior: hs.HalfNormal) -> None:
    fit = fitted(hs.PartialPooling(priors={"tau": prior}), eight_schools(), draws=10, warmup=20)
    back = again(fit, tmp_path)
    assert back.priors["tau"] == prior
    assert back.model.priors["tau"] == prior


def test_draws_are_kept_though_replicates_cannot_be_computed(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "stan")
    path = folder / "families" / "normal.stan"
    text = path.read_text()
    declared, loop = (
        "  vector[replicate ? N : 0] y_rep;\n",
        text.index("  for (n in 1 : size(y_rep))"),
    )
    assert declared in text
    path.write_text(text[:loop].replace(declared, "") + "}\n")
    fit = fitted(hs.PartialPooling(template_dir=folder), rows_of("normal"))
    with pytest.warns(hs.HierstanWarning, match="holds the draws, but neither the log"):
        fit.save(tmp_path / "fit.nc")
    back = hs.load(tmp_path / "fit.nc")
    assert back.draws("theta").tolist() == fit.draws("theta").tolist()
    assert "log_likelihood" not in back.sampled.children


def test_edited_templates_are_remembered(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "stan")
    file = folder / "families" / "binomial.stan"
    file.write_text(file.read_text() + "// edited\n")
    fit = fitted(hs.NoPooling(template_dir=folder), baseball())
    back = again(fit, tmp_path)
    assert Path(back.model.template_dir) == folder
    assert back.program.edited
    assert back.program.origins == fit.program.origins
    assert_same(fit, back)


LABELS = {
    "text": ["A", "b c", "", "東京", 'quo"te', "a\nb"],
    "awkward text": ["nul\0", "half \ud800 pair", "1"],
    "whole numbers": [3, 1, 2],
    "large numbers": [2**40, -5],
    "decimals": [0.1, 2.5, -1e300],
    "true and false": [True, False],
    "days": pd.to_datetime(["2026-01-01", "2026-02-03"]),
    "nanoseconds": pd.DatetimeIndex(["2026-01-01", "2026-02-03 04:05:06.789012345"]),
    "days somewhere": pd.to_datetime(["2026-01-01", "2026-07-01"]).tz_localize("Europe/Berlin"),
    "durations": pd.to_timedelta(["1h", "2D"]),
    "intervals": pd.interval_range(0, 3, closed="left"),
    "periods": pd.period_range("2026-01", periods=3, freq="M"),
    "categories": pd.Categorical(["b", "a"], categories=["b", "a"]),
    "32-bit": np.array([1, 2], dtype=np.int32),
    "nullable": pd.array([1, 2], dtype="Int64"),
    "tuples": [("a", 1), ("b", 2.5), ("a", ("c", None, True))],
    "mixed": [1, "1", 1.5, ("1",), datetime.date(2026, 1, 1), np.int16(7)],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LABELS)
def test_labels_keep_their_type(tmp_path: Path, kind: str) -> None:
    labels = LABELS[kind]
    if isinstance(labels, list):
        column = np.empty(len(labels), dtype=object)
        column[:] = labels
        labels = pd.Series(column, dtype=object)
        labels = labels if kind in ("mixed", "awkward text") else labels.infer_objects()
    fit = fitted(hs.NoPooling(), of_labels(labels))
    back = again(fit, tmp_path)
    assert_same(fit, back)
    label = fit.data.groups[-1]
    xr.testing.assert_identical(fit.posterior["theta"][:, :, -1], back.posterior["theta"][:, :, -1])
    assert label not in back.data.without(label).groups


def test_arms_keep_their_labels_and_their_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"site": [1, 1, 2, 2], "kind": ["b", "a"] * 2, "y": [3, 5, 2, 8], "n": 20})
    data = hs.GroupedData.from_trial(
        frame, group="site", arm="kind", control="a", successes="y", trials="n"
    )
    back = again(fitted(hs.PartialPooling(), data), tmp_path).data.arms
    pd.testing.assert_index_equal(back, data.arms)
    assert list(back) == ["a", "b"]
    assert back.name == "kind"


def test_odd_column_names_come_back(tmp_path: Path) -> None:
    frame = hs.load_dataset("eight_schools").rename(columns={"school": 7, "effect": ("a", "b")})
    frame.columns = pd.Index([7, ("a", "b"), "se"], tupleize_cols=False)
    data = hs.GroupedData.from_estimates(frame, group=7, estimate=("a", "b"), se="se")
    fit = fitted(hs.NoPooling(), data)
    assert_same(fit, again(fit, tmp_path))


def test_factors_with_spaces_in_their_names_come_back(tmp_path: Path) -> None:
    cells = pd.DataFrame({"age group": list("aabbcc"), "sold on": ["web", "app"] * 3})
    cells = cells.assign(y=[1.0, 2, 4, 4, 9, 7], se=1.0)
    data = hs.GroupedData.from_estimates(
        cells, group=["age group", "sold on"], estimate="y", se="se"
    )
    fit = fitted(hs.PartialPooling(), data)
    back = again(fit, tmp_path)
    assert_same(fit, back)
    assert set(fit.posterior.coords) == set(back.posterior.coords)


class Label:
    """Hashable, but nothing that JSON could carry."""


@pytest.mark.parametrize(
    "labels", [[Label(), Label()], [b"a", b"b"], [1 + 2j, "x"], [("a", Label())]]
)
def test_labels_that_cannot_be_kept_are_refused_before_writing(
    tmp_path: Path, labels: list
) -> None:
    column = np.empty(len(labels), dtype=object)
    column[:] = labels
    fit = fitted(hs.NoPooling(), of_labels(column))
    file = tmp_path / "fit.nc"
    file.write_text("what was there")
    with pytest.raises(
        hs.HierstanError, match=r"The group label .* cannot be saved.*\.astype\(str\)"
    ):
        fit.save(file)
    assert file.read_text() == "what was there"
    assert names(tmp_path) == ["fit.nc"]


@pytest.fixture(scope="module")
def fit() -> hs.Fit:
    return fitted(hs.PartialPooling(), eight_schools())


@pytest.fixture
def saved(fit: hs.Fit, tmp_path: Path) -> Path:
    fit.save(tmp_path / "fit.nc")
    return tmp_path / "fit.nc"


@pytest.mark.slow
def test_arviz_alone_reads_the_file(saved: Path, fit: hs.Fit) -> None:
    code = f"""
import sys, xarray as xr, arviz_stats as azs
tree = xr.open_datatree({str(saved)!r}, engine="h5netcdf")
table = azs.summary(tree, round_to="none")
assert "hierstan" not in sys.modules
print(*table.index, float(table.loc["theta[A]", "mean"]))
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    *variables, mean = run.stdout.split()
    assert {"mu", "tau", "theta[A]"} <= set(variables)
    assert float(mean) == pytest.approx(fit.draws("theta")[:, 0].mean(), rel=1e-3)


def test_a_string_is_a_path_too(fit: hs.Fit, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    fit.save("fit.nc")
    assert repr(hs.load("fit.nc")) == repr(fit)


def test_saving_leaves_the_fit_as_it_was(fit: hs.Fit, tmp_path: Path) -> None:
    before = (set(fit.idata.children), dict(fit.idata.attrs), fit.posterior.copy(deep=True))
    fit.save(tmp_path / "fit.nc")
    assert (set(fit.idata.children), dict(fit.idata.attrs)) == before[:2]
    xr.testing.assert_identical(fit.posterior, before[2])


def test_an_existing_file_is_replaced_and_keeps_its_mode(saved: Path) -> None:
    saved.chmod(0o640)
    other = fitted(hs.NoPooling(), eight_schools())
    other.save(saved)
    assert hs.load(saved).model.name == "none"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o640
    assert names(saved.parent) == ["fit.nc"]


def test_a_new_file_gets_the_usual_mode(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    assert saved.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_link_is_followed(saved: Path, fit: hs.Fit, tmp_path: Path) -> None:
    link = tmp_path / "link.nc"
    link.symlink_to(saved)
    fitted(hs.NoPooling(), eight_schools()).save(link)
    assert link.is_symlink()
    assert hs.load(saved).model.name == "none"


@pytest.mark.slow
@pytest.mark.parametrize("room", [500, 40_000, 0.9, -1])
def test_a_disk_that_is_full_leaves_the_old_file(saved: Path, room: float) -> None:
    pytest.importorskip("resource")
    before = saved.read_bytes()
    limit = int(room if room >= 1 else room * len(before) if room > 0 else len(before) + room)
    code = f"""
import resource, signal, hierstan as hs
fit = hs.load({str(saved)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    fit.save({str(saved)!r})
except hs.HierstanError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "could not be written: [Errno 27]" in run.stdout, run.stderr
    assert "A file that was there before is unchanged" in run.stdout
    assert saved.read_bytes() == before
    assert names(saved.parent) == ["fit.nc"]


def test_where_nothing_can_be_written(fit: hs.Fit, tmp_path: Path) -> None:
    with pytest.raises(hs.HierstanError, match="is a folder"):
        fit.save(tmp_path)
    with pytest.raises(hs.HierstanError, match="does not exist. Make it first"):
        fit.save(tmp_path / "none" / "fit.nc")


def test_what_netcdf_cannot_hold_is_refused(fit: hs.Fit, tmp_path: Path) -> None:
    other = fitted(hs.NoPooling(), eight_schools())
    other.idata["mine"] = xr.DataTree(xr.Dataset(attrs={"a": {"b": 1}}))
    with pytest.raises(hs.HierstanError, match="added to fit.idata"):
        other.save(tmp_path / "fit.nc")
    assert names(tmp_path) == []
    del other.idata["mine"]
    other.idata["cells"] = xr.DataTree()
    with pytest.raises(hs.HierstanError, match="group 'cells'"):
        other.save(tmp_path / "fit.nc")


def test_groups_of_the_users_own_are_kept(fit: hs.Fit, tmp_path: Path) -> None:
    other = fitted(hs.NoPooling(), eight_schools())
    other.idata["mine"] = xr.DataTree(xr.Dataset({"x": ("n", [1.0, 2.0])}))
    assert again(other, tmp_path).idata["mine"]["x"].to_numpy().tolist() == [1.0, 2.0]


def test_models_of_the_users_own_are_refused(tmp_path: Path) -> None:
    class Own(hs.NoPooling):
        pass

    with pytest.raises(hs.HierstanError, match="Only hierstan's own models can be saved.*Own"):
        fitted(Own(), eight_schools()).save(tmp_path / "fit.nc")

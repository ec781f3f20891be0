from __future__ import annotations

import os
from pathlib import Path

import pytest
from programs import small_data
from templates import edited

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.programs.files import packaged_directory

POOLING, FAMILY = "partial_pooling.stan", "families/binomial.stan"


def test_copy_templates_copies_them_all(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "some" / "where")
    assert folder == tmp_path / "some" / "where"
    source = packaged_directory()
    files = sorted(path.relative_to(source) for path in source.rglob("*.stan"))
    assert sorted(path.relative_to(folder) for path in folder.rglob("*.*")) == files
    marginal = sum(family.marginal for family in FAMILIES.values() if not family.treatment)
    files_of_families = {family.file or family.name for family in FAMILIES.values()}
    measured = sum(bool(of.of_group) for of in FAMILIES.values() if not of.treatment)
    pages = 8 + 10 + 2 + 5  # how they are stated and sampled, centered, and marginally
    pages += 1  # functions that several of these call
    pages += 8  # and sampled where outcomes may be extra zeros
    pages += 2 * 6  # where rows are overdispersed, and where both
    pages += 3  # the same of the adjustment for covariates
    pages += 2 + sum(family.one_parameter for family in FAMILIES.values())  # numerically
    assert len(files) == pages + len(files_of_families) + marginal + measured
    assert all((folder / file).read_bytes() == (source / file).read_bytes() for file in files)
    assert all(os.access(folder / file, os.W_OK) for file in files)


def test_copy_templates_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / POOLING).write_text("// mine")
    with pytest.raises(hs.TemplateError, match=rf"already holds {POOLING}, which may have been"):
        hs.copy_templates(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [POOLING]
    assert (tmp_path / POOLING).read_text() == "// mine"
    folder = hs.copy_templates(tmp_path / "copy")
    with pytest.raises(hs.TemplateError, match=r"already holds .* and \d+ more"):
        hs.copy_templates(folder)


def test_copy_templates_needs_a_directory_it_can_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(hs.TemplateError, match="cannot be written to .* Choose another directory"):
        hs.copy_templates(tmp_path / "file" / "below")


def test_a_directory_can_be_given_or_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_data("binomial")
    copies = {}
    for name in ("given", "set"):
        copies[name] = edited(tmp_path / name, POOLING, "// Partial pooling:", f"// {name}:")
    assert hs.PartialPooling().stan_code(data).startswith("// Partial pooling:")
    monkeypatch.setenv("HIERSTAN_TEMPLATES", str(copies["set"]))
    assert hs.PartialPooling().stan_code(data).startswith("// set:")
    model = hs.PartialPooling(template_dir=copies["given"])
    assert model.stan_code(data).startswith("// given:")
    assert model.program(data).edited
    monkeypatch.setenv("HIERSTAN_TEMPLATES", "")
    assert hs.PartialPooling().stan_code(data).startswith("// Partial pooling:")


def test_a_directory_that_is_not_there_says_so(tmp_path: Path) -> None:
    model = hs.NoPooling(template_dir=tmp_path / "none")
    with pytest.raises(hs.TemplateError, match=r"none does not exist. Make one with .*copy_templ"):
        model.stan_code(small_data("binomial"))


def test_line_ends_and_byte_order_marks_are_not_edits(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "copy")
    for file in (POOLING, FAMILY):
        lines = (folder / file).read_text().splitlines()
        (folder / file).write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
    program = hs.PartialPooling(template_dir=folder).program(small_data("binomial"))
    assert program == hs.PartialPooling().program(small_data("binomial"))

"""README.md says what is so: its Python runs and prints what it shows, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import printed
import pytest

import hierstan as hs

PAGES = [printed.README, printed.GUIDE, printed.GALLERY, printed.ROOT / "stan" / "README.md"]


def quick_start() -> str:
    """Return the section of that name."""
    page = printed.README.read_text(encoding="utf-8")
    return page.split("## Quick start", 1)[1].split("\n## ", 1)[0]


def test_the_quick_start_is_two_blocks() -> None:
    languages = [language for language, _ in printed.blocks(quick_start())]
    assert languages == ["sh", "sh"]
    (_, first), (_, second) = printed.blocks(quick_start())
    assert first.strip().endswith(".venv/bin/hierstan demo")
    assert second.strip().endswith(".venv/bin/pytest")


def test_the_front_page_is_a_page() -> None:
    page = printed.README.read_text(encoding="utf-8")
    assert page.count("\n") <= 250


@pytest.mark.slow
@pytest.mark.parametrize("file", [printed.README, printed.GUIDE], ids=lambda file: file.stem)
def test_the_python_prints_what_is_shown(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIERSTAN_ENGINE", "stanli")
    page = file.read_text(encoding="utf-8")
    wrong = []
    for code, shown, output in printed.run_python_blocks(page, tmp_path):
        wrong += [f"{code}\n{line}" for line in printed.differences(shown or "", output)]
    assert wrong == []


@pytest.mark.slow
def test_the_edits_that_the_templates_page_shows(tmp_path: Path) -> None:
    page = (printed.ROOT / "stan" / "README.md").read_text(encoding="utf-8")
    heavy, nu, free, mixture, new, density = (
        text.strip() for language, text in printed.blocks(page) if language == "stan"
    )
    normal, tau = "theta ~ normal(mu, tau);", "real{{ bounds.tau }} tau;"
    slots = ("real theta_new = {{ population.rng }};", "log_population[j] = {{ population.lpdf }};")
    edits = {
        "heavy": {normal: heavy},
        "free": {normal: free, tau: f"{nu}\n  {tau}"},
        "mixture": {normal: mixture, slots[0]: new, slots[1]: density},
    }
    schools = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    as_shipped = hs.loo(hs.PartialPooling().fit(data, seed=1, engine="stanli")).elpd
    for name, edit in edits.items():
        file = hs.copy_templates(tmp_path / name) / "partial_pooling.stan"
        program = file.read_text()
        for old, text in edit.items():
            assert program.count(old) == 1
            program = program.replace(old, text)
        file.write_text(program)
        fit = hs.PartialPooling(template_dir=tmp_path / name).fit(data, seed=1, engine="stanli")
        assert hs.loo(fit).elpd == pytest.approx(as_shipped, abs=0.5)
        assert ("nu" in fit.posterior) == (name == "free")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_numbers_may_differ_in_their_last_digits_only() -> None:
    assert printed.differences("elpd -30.6  90%", "elpd   -30.5 90%\n") == []
    assert printed.differences("elpd -30.6", "elpd -30.1") != []
    assert printed.differences("tau 1,234", "tau 1,235") == []
    assert printed.differences("the groups differ", "the groups agree") != []
    assert printed.differences("one line", "one line\nand another") != []


def test_the_table_of_winners_is_the_scripts() -> None:
    shown = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in printed.GUIDE.read_text(encoding="utf-8").split("\n")
        if line.startswith(("| raw rate", "| partial pooling | "))
    ]
    gallery = printed.GALLERY.read_text(encoding="utf-8").split("\n")
    assert len(shown) == 3
    for name, *numbers in shown:
        lines = [line[len(name) :].split() for line in gallery if line.startswith(f"{name}  ")]
        assert any(line[:5] == numbers for line in lines), name

"""The report: its content, its HTML, and what a browser makes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import chromium, evaluate, visit

import hierstan as hs
from hierstan.shell.cli import main

VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"&'><img src=x onerror=alert(2)>",
    "日本語 選手",
    "x" * 300,
    "a very long label of many words, as answers in a survey have them, that goes on and on and on",
    "مرحبا بالعالم",
    "\u202edesrever",
    "line\nbreak",
    "{{ 7 * 7 }}{% raw %}",
    "😀",
]
PLAYER = '<b onload="x">player</b>'
TITLE = 'Batting <averages> & "more"</title><script>alert(3)</script>'


@dataclass
class Page(HTMLParser):
    """What a page consists of: elements with their attributes and texts, in order."""

    text: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: dict[int, str] = field(default_factory=dict)
    open: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open.pop()][0] == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        for at in self.open:
            self.words[at] = self.words.get(at, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag: str) -> list[str]:
        return [
            " ".join(self.words.get(at, "").split())
            for at, (name, _) in enumerate(self.elements)
            if name == tag
        ]


@dataclass(frozen=True)
class Written:
    """A report, and what it is of."""

    frame: pd.DataFrame
    fits: dict[str, hs.Fit]
    file: Path

    @property
    def page(self) -> Page:
        return Page(self.file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schools(tmp_path_factory: pytest.TempPathFactory) -> Written:
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    fits = hs.fit_poolings(data, seed=1, engine="stanli")
    file = tmp_path_factory.mktemp("schools") / "report.html"
    return Written(frame, fits, hs.report(fits, file))


@pytest.fixture(scope="module")
def players(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return a report of data whose every word is hostile."""
    frame = hs.load_dataset("baseball")[["player", "hits", "at_bats"]]
    frame["player"] = [*HOSTILE, *frame["player"][len(HOSTILE) :]]
    frame = frame.rename(columns={"player": PLAYER})
    data = hs.GroupedData.from_counts(frame, group=PLAYER, successes="hits", trials="at_bats")
    fits = hs.fit_poolings(data, seed=1, engine="stanli", priors={"mu": hs.Normal(-1, 1)})
    file = tmp_path_factory.mktemp("players") / "report.html"
    options = {"title": TITLE, "question": "Who <i>is</i> best?", "larger_is_better": True}
    return Written(frame, fits, hs.report(fits, file, **options))


@pytest.fixture(params=["schools", "players"])
def written(request: pytest.FixtureRequest) -> Written:
    return request.getfixturevalue(request.param)


# what it says -----------------------------------------------------------------------------------


def test_it_has_all_the_answers(schools: Written) -> None:
    page = schools.page
    assert page.said("h1") == ["Effect by school"]
    assert page.said("h2") == [
        "In short",
        "The data",
        "Can the draws be trusted?",
        "The poolings side by side",
        "Which pooling do the data support?",
        "What partial pooling did to each group",
        "How different are the groups?",
        "Which groups are highest, which lowest?",
        "Priors",
        "The Stan programs",
        "How to get these numbers again",
    ]
    whole = page.said("main")[0]
    assert hs.compare(schools.fits).verdict in whole
    spread = hs.heterogeneity(schools.fits["partial"]).verdict
    assert spread.replace(" caring= sets another limit.", "") in whole
    for fit in schools.fits.values():
        assert " ".join(fit.stan_code.split()) in whole
        assert all(str(prior) in whole for prior in fit.priors.values())
    assert "stanli 0.24" in whole
    assert "seed 1" in whole


def test_its_tables_hold_the_numbers(schools: Written) -> None:
    rows = [row.split() for row in schools.page.said("tr")]
    ledger = hs.shrinkage(schools.fits["partial"]).loc["A"]
    names = ["raw", "mean", "moved", "sd", "lower", "upper"]
    expected = [f"{ledger[name]:.1f}" for name in names]
    assert ["A", *expected, f"{ledger['pooling_factor']:.2f}"] in [row[:8] for row in rows]
    table = hs.compare(schools.fits).table
    assert ["no", "pooling", *(f"{table.loc['none', name]:.1f}" for name in ("elpd", "se"))] in [
        row[:4] for row in rows
    ]


def test_ranks_are_in_either_direction(schools: Written) -> None:
    rows = [row.split() for row in schools.page.said("tr")]
    fit = schools.fits["partial"]
    high, low = (hs.prob_best(fit, larger_is_better=better)["A"] for better in (True, False))
    expected = f"{hs.rank_intervals(fit).loc['A', 'mean']:.1f}"
    line = next(row for row in rows if row[:2] == ["A", expected])
    assert line[-2:] == [f"{high:.0%}", f"{low:.0%}"]


def test_slopes_of_predictors_are_told_and_made_again(tmp_path: Path) -> None:
    frame = hs.load_dataset("eight_schools").assign(size=[3.0, 1, 4, 1, 5, 9, 2, 6])
    data = hs.GroupedData.from_estimates(
        frame, group="school", estimate="effect", se="se", predictors=["size"]
    )
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    text = hs.report(fit, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Change of a group&#39;s mean" in text
    assert "predictors=[&#39;size&#39;]" in text
    assert "Beyond what size can explain" in text


def test_structure_is_told_and_made_again(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": list("aabbcc"), "way": list("xyxyxy"), "sex": list("fmmffm")})
    frame["y"], frame["se"] = [1.0, 2, 4, 5, 7, 9], 0.5
    data = hs.GroupedData.from_estimates(
        frame, group=["age", "way"], estimate="y", se="se", factors=["sex"]
    )
    model = hs.PartialPooling(factors=["age", "sex"])
    fit = model.fit(data, seed=1, engine="stanli", draws=500, adapt_delta=0.95)
    page = Page(hs.report(fit, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "What describes the groups, and how much it matters" in page.said("h2")
    assert hs.components(fit).verdict in page.said("main")[0]
    table = hs.effects(fit, "age")
    assert any(f"{table.loc['a', 'mean']:.1f}"[:3] in cell for cell in page.said("td"))
    said = page.said("main")[0]
    assert "group=['age', 'way'], " in said
    assert "factors=['sex']" in said
    assert "PartialPooling(factors=['age', 'sex'])" in said


def test_draws_that_cannot_be_trusted_come_first(schools: Written, tmp_path: Path) -> None:
    data = schools.fits["partial"].data
    poor = hs.fit_poolings(data, seed=1, engine="stanli", draws=50)
    with pytest.warns(hs.HierstanWarning, match="the draws cannot be trusted"):
        file = hs.report(poor, tmp_path / "poor.html")
    page = Page(file.read_text(encoding="utf-8"))
    assert page.said("dd")[0].startswith("Do not rely on this page yet")
    assert "(not ok)" in page.said("main")[0]
    assert hs.diagnose(poor["partial"]).messages[0] in page.said("main")[0]


def test_a_choice_is_made_where_one_is_asked_for(schools: Written, tmp_path: Path) -> None:
    file = hs.report(schools.fits, tmp_path / "choice.html", control="C", caring=1.0)
    table = hs.decision_table(schools.fits["partial"], "C", caring=1.0)
    page = Page(file.read_text(encoding="utf-8"))
    assert "Which group to choose" in page.said("h2")
    assert table.attrs["advice"] in page.said("dd")
    assert "control='C', caring=1.0, larger_is_better=True" in page.said("main")[0]
    with pytest.raises(hs.HierstanError, match="C1"):
        hs.report(schools.fits, file, control="C1")


@pytest.mark.parametrize("names", [["complete"], ["partial"], ["complete", "none"]])
def test_fewer_fits_make_a_shorter_page(schools: Written, tmp_path: Path, names: list[str]) -> None:
    fits = {name: schools.fits[name] for name in names}
    given = fits if len(fits) > 1 else next(iter(fits.values()))
    heads = Page(hs.report(given, tmp_path / "a.html").read_text(encoding="utf-8")).said("h2")
    assert ("Which pooling do the data support?" in heads) == (len(names) > 1)
    assert ("How different are the groups?" in heads) == ("partial" in names)


def test_many_groups_are_cut_short_and_it_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({0: [(n, "a") for n in range(400)] * 3, 1: rng.normal(size=1200)})
    data = hs.GroupedData.from_rows(frame, group=0, outcome=1)
    fits = {"a <fit>": hs.PartialPooling().fit(data, seed=1, engine="stanli")}
    page = Page(hs.report(fits, tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "The first 200 of 400 groups are shown." in page.said("p")
    assert "a <fit>" in page.said("summary")[0]
    assert any(image["src"].startswith("data:image/png;") for image in page.all("img"))
    assert len(page.text) < 2_000_000


# the same again ---------------------------------------------------------------------------------


def test_its_script_gives_the_same_page(written: Written, tmp_path: Path) -> None:
    written.frame.to_csv(tmp_path / "data.csv", index=False)
    script = re.findall(
        r'aria-label="Python script"[^>]*><code>(.*?)</code>', written.page.text, re.S
    )
    holder = Page(f"<p>{script[0]}</p>")
    (tmp_path / "again.py").write_text(holder.words[0], encoding="utf-8")
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "error", "again.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "report.html").read_bytes() == written.file.read_bytes()


# the HTML ---------------------------------------------------------------------------------------


def test_it_is_sound_html(written: Written) -> None:
    page = written.page
    assert page.text.startswith("<!DOCTYPE html>\n<html lang=")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= set(ids)
    assert len(page.said("h1")) == len(page.said("title")) == len(page.all("main")) == 1


def test_tables_and_pictures_are_described(written: Written) -> None:
    page = written.page
    assert len(page.said("caption")) == len(page.all("table")) >= 7
    assert all(page.said("caption"))
    assert all(head["scope"] in ("col", "row") for head in page.all("th"))
    assert len(page.all("img")) == 3
    assert all(len(image["alt"]) > 40 for image in page.all("img"))
    assert all(page.said("figcaption"))


def test_nothing_in_the_data_becomes_html(players: Written) -> None:
    page = players.page
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "i", "iframe", "object", "link"})
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert page.said("h1") == page.said("title") == [TITLE]
    heads = page.said("th")
    for label in (*HOSTILE[:3], *HOSTILE[4:6], *HOSTILE[8:]):
        assert heads.count(label) == 5  # data, poolings, shrinkage, ranks, decisions
    assert {"x" * 119 + "…", "\\u202edesrever", "line\\nbreak"} <= set(heads)


def test_nothing_is_loaded_from_elsewhere(written: Written) -> None:
    page = written.page
    assert {image["src"].partition(",")[0] for image in page.all("img")} == {
        "data:image/svg+xml;base64"
    }
    assert not re.search(r"url\(|@import", page.said("style")[0])
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")


# the file ---------------------------------------------------------------------------------------


def test_an_existing_file_is_replaced_when_the_new_one_is_complete(
    schools: Written, tmp_path: Path
) -> None:
    file, link = tmp_path / "report.html", tmp_path / "link.html"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o640)
    link.symlink_to(file)
    with pytest.raises(hs.HierstanError, match="unit must be one of"):
        hs.report(schools.fits, file, unit="row")
    assert file.read_text(encoding="utf-8") == "old"
    assert hs.report(schools.fits, str(link)) == link
    assert link.is_symlink()
    assert file.read_bytes() == schools.file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [link, file]


def test_what_cannot_be_written_is_said(schools: Written, tmp_path: Path) -> None:
    with pytest.raises(hs.HierstanError, match="is a folder"):
        hs.report(schools.fits, tmp_path)
    with pytest.raises(hs.HierstanError, match="does not exist"):
        hs.report(schools.fits, tmp_path / "none" / "a.html")
    if Path("/proc/self").is_dir():
        with pytest.raises(hs.HierstanError, match="could not be written"):
            hs.report(schools.fits, "/proc/self/a.html")


def test_what_cannot_be_reported_is_refused(schools: Written, tmp_path: Path) -> None:
    data = schools.fits["partial"].data
    file = tmp_path / "a.html"
    with pytest.raises(hs.HierstanError, match="mapping of fits"):
        hs.report({}, file)
    with pytest.raises(hs.HierstanError, match="'a' is no fit but a int"):
        hs.report({"a": 1}, file)
    with pytest.raises(hs.HierstanError, match="prob="):
        hs.report(schools.fits, file, prob=90)
    prior = hs.PartialPooling().fit(data, seed=1, engine="stanli", prior_only=True)
    with pytest.raises(hs.HierstanError, match="prior_only"):
        hs.report(prior, file)
    other = hs.CompletePooling().fit(data.without("A"), seed=1, engine="stanli")
    with pytest.raises(hs.DataError, match="different data"):
        hs.report({**schools.fits, "complete": other}, file)
    assert list(tmp_path.iterdir()) == []


def test_the_shell_writes_it(
    schools: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schools.frame.to_csv(tmp_path / "schools.csv", index=False)
    columns = ["--group", "school", "--estimate", "effect", "--se", "se", "--engine", "stanli"]
    file = tmp_path / "out.html"
    command = ["compare", str(tmp_path / "schools.csv"), *columns, "--report"]
    assert main([*command, str(file)]) == 0
    assert f"The report is in {file}." in capsys.readouterr().out
    assert file.read_bytes() == schools.file.read_bytes()
    assert main([*command, str(tmp_path / "out.pdf")]) == 2
    assert main([*command, str(tmp_path / "none" / "out.html")]) == 2


# the browser ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 360])
def test_a_browser_shows_it(written: Written, tmp_path: Path, width: int) -> None:
    from matplotlib import image

    chromium()
    picture = tmp_path / "screen.png"
    visit(written.file, tmp_path, f"--screenshot={picture}", width=width, height=4000)
    pixels = image.imread(picture)[..., :3].mean(axis=2)
    assert pixels.shape == (4000, width)
    assert (np.ptp(pixels.reshape(8, -1), axis=1) > 0.5).all(), "every part of it shows something"


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_never_scrolls_sideways(written: Written, tmp_path: Path, width: int) -> None:
    script = """
      const wide = [...document.querySelectorAll('main *')].filter((e) => !e.closest('.scroll, pre')
        && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80));
      tell({page: document.documentElement.scrollWidth, screen: innerWidth, wide,
        images: [...document.images].filter((i) => !i.naturalWidth).length});
    """
    assert evaluate(written.file, tmp_path, script, width=width) == {
        "page": width,
        "screen": width,
        "wide": [],
        "images": 0,
    }


def test_on_paper_the_programs_are_open(schools: Written, tmp_path: Path) -> None:
    chromium()
    without = tmp_path / "without.html"
    text = schools.page.text
    without.write_text(re.sub(r"(?s)<details>.*?</details>", "", text), encoding="utf-8")
    pages = []
    for file in (schools.file, without):
        paper = tmp_path / "paper.pdf"
        visit(file, tmp_path, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
        pages.append(len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())))
    assert pages[0] >= pages[1] + 2
    assert pages[0] < 15


@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_accessible(written: Written, tmp_path: Path, width: int) -> None:
    found = find_spec("axe_core_python")
    if found is None or found.origin is None:
        if os.environ.get("HIERSTAN_REQUIRE_CHROMIUM") == "1":
            pytest.fail("HIERSTAN_REQUIRE_CHROMIUM=1 is set, but axe-core-python is missing")
        pytest.skip("no axe-core-python")
    axe = Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    script = """
      document.querySelectorAll('details').forEach((e) => { e.open = true; });
      axe.run().then((found) => tell({passes: found.passes.length, wrong: found.violations.map(
        (v) => [v.id, ...v.nodes.map((n) => n.html.slice(0, 200))])}));
    """
    found = evaluate(written.file, tmp_path, axe + script, width=width)
    assert found["wrong"] == []
    assert found["passes"] > 20

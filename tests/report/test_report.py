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
from programs import small_data, structured_data

import hierstan as hs
from hierstan.report import sections
from hierstan.report.again import script
from hierstan.report.answers import data_grid
from hierstan.shell.cli import main

pytestmark = pytest.mark.slow  # its pages take seconds each

VOID = {"meta", "img", "br", "link", "input", "hr", "source"}
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


def without_advice(verdict: str) -> str:
    for advice in (
        " caring= sets another limit.",
        " prior_sensitivity(fit) shows what other priors would say.",
    ):
        verdict = verdict.replace(advice, "")
    return verdict


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


@pytest.fixture(scope="module")
def clinics(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return a report of two arms whose effects really differ."""
    frame = pd.DataFrame({"clinic": np.repeat(list("abcdef"), 2), "arm": ["usual", "drug"] * 6})
    better = np.array([52, 96, 60, 104, 80, 68]).repeat(2)
    frame["well"] = np.where(frame["arm"] == "drug", better, 70) + np.arange(12)
    data = hs.GroupedData.from_trial(
        frame.assign(seen=200),
        group="clinic", arm="arm", control="usual", successes="well", trials="seen",
    )  # fmt: skip
    fits = hs.fit_poolings(data, seed=1, engine="stanli", chains=2, warmup=500, draws=500)
    file = tmp_path_factory.mktemp("clinics") / "report.html"
    return Written(frame, fits, hs.report(fits, file))


# what it says -----------------------------------------------------------------------------------


@pytest.mark.slow
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
        "Does the model make data like these?",
        "Would other priors say something else?",
        "Priors",
        "The Stan programs",
        "How to get these numbers again",
    ]
    whole = page.said("main")[0]
    assert hs.compare(schools.fits).verdict in whole
    spread = hs.heterogeneity(schools.fits["partial"]).verdict
    assert without_advice(spread) in whole
    assert hs.winners_curse(schools.fits["partial"]).verdict in whole
    assert hs.prior_sensitivity(schools.fits["partial"], progress=False).verdict in whole
    assert "Partial pooling is the safer choice" in page.said("dl")[0]
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_shares_are_percentages_in_the_words_of_the_user(players: Written) -> None:
    page = players.page
    rows = [row.split() for row in page.said("tr")]
    best = hs.decision_table(players.fits["partial"]).iloc[0]
    expected = [f"{100 * best[name]:.1f}" for name in ("mean", "lower", "upper")]
    row = next(row for row in rows if "best choice" in " ".join(row))
    assert [cell.strip("[],") for cell in row[-5:-2]] == expected
    assert {"hits", "at_bats", "hits / at_bats (%)"} <= set(page.said("th"))
    assert not {"successes", "trials", "rate"} & set(page.said("th"))


@pytest.mark.slow
def test_the_pooling_to_take_is_named_first_of_all(clinics: Written, tmp_path: Path) -> None:
    assert hs.compare(clinics.fits).preferred == "partial"
    told = "The groups really differ. Preferred: partial pooling."
    assert told in clinics.page.said("dl")[0]
    sure = pd.DataFrame({"g": list("abcdef"), "est": [1.0, 9, 4, 7, 2, 5], "error": 0.1})
    data = hs.GroupedData.from_estimates(sure, group="g", estimate="est", se="error")
    fits = hs.fit_poolings(data, seed=1, engine="stanli")
    assert hs.compare(fits).preferred == "none"
    short = Page(hs.report(fits, tmp_path / "sure.html").read_text("utf-8")).said("dl")[0]
    assert "No pooling is adequate; partial pooling comes to much the same" in short


@pytest.mark.slow
def test_a_treatment_is_told_in_the_outcomes_own_unit(clinics: Written) -> None:
    found = hs.absolute_effects(clinics.fits["partial"])
    assert "What does the treatment change?" in clinics.page.said("h2")
    assert found.verdict in clinics.page.said("main")[0]
    assert found.verdict.partition(". ")[0] in clinics.page.said("dl")[0]
    table = next(one for one in clinics.page.said("table") if "Both arms" in one)
    for text in ("usual (%)", "drug (%)", "all, as in the data", "a new clinic"):
        assert text in table
    assert f"{100 * found.overall['mean']:.1f} [" in table


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return a report of what customers spent, in two parts, with a segment that bought nothing."""
    rng = np.random.default_rng(1)
    segment = np.repeat(["north", "south", "east", "west"], [90, 60, 30, 12])
    bought = rng.random(192) < np.repeat([0.3, 0.5, 0.4, 0.0], [90, 60, 30, 12])
    spent = np.where(bought, rng.gamma(2, 10, 192).round(2), 0.0)
    frame = pd.DataFrame({"segment": segment, "paid": spent})
    quick = {"seed": 1, "engine": "stanli"}
    given = {"rate": {"tau": hs.HalfNormal(0.7)}}
    models = [hs.TwoPart("gamma", hs.NoPooling), hs.TwoPart("gamma", priors=given)]
    fits = {m.name: m.fit(frame, group="segment", outcome="paid", **quick) for m in models}
    file = tmp_path_factory.mktemp("segments") / "report.html"
    return Written(frame, fits, hs.report(fits, file, control="north", caring=0.5))


@pytest.mark.slow
def test_fits_of_two_parts_are_told_part_by_part(segments: Written) -> None:
    page, fit = segments.page, segments.fits["partial"]
    assert page.said("h1") == ["Paid per customer by segment"]
    assert page.said("h3").count("Who buys") == page.said("h3").count("How much they spend") == 4
    assert page.said("main")[0].count("hs.prior_sensitivity(fit) does") == 2
    whole = page.said("main")[0]
    for part in ("rate", "amount"):
        fits = {name: getattr(one, part) for name, one in segments.fits.items()}
        assert hs.compare(fits, progress=False).verdict in whole
        assert without_advice(hs.heterogeneity(fits["partial"]).verdict) in whole
        assert " ".join(fits["partial"].stan_code.split()) in whole
    assert page.said("dd")[0] == hs.decision_table(fit, "north", caring=0.5).attrs["advice"]
    assert "frame, group='segment', outcome='paid', **run)" in whole
    assert "TwoPart(amounts='gamma', pooling=hs.PartialPooling, priors={'rate': {'tau': " in whole
    row = next(row.split() for row in page.said("tr") if row.startswith("west 12 0 "))
    assert row == ["west", "12", "0", "0.00"]


def test_fits_of_either_kind_do_not_go_together(
    schools: Written, segments: Written, tmp_path: Path
) -> None:
    fits = {"partial": segments.fits["partial"], "none": schools.fits["none"]}
    with pytest.raises(hs.HierstanError, match="'none' is of another kind"):
        hs.report(fits, tmp_path / "a.html")


@pytest.mark.slow
def test_effects_of_a_treatment_are_reported(tmp_path: Path) -> None:
    arms = [(site, arm) for site in "abcdef" for arm in ("drug", "placebo")]
    frame = pd.DataFrame(arms, columns=["site", "arm"])
    frame["ill"], frame["given"] = [9, 12, 8, 14, 11, 13, 7, 9, 10, 15, 6, 9], 40
    data = hs.GroupedData.from_trial(
        frame, group="site", arm="arm", control="placebo", successes="ill", trials="given"
    )
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=500, adapt_delta=0.95)
    page = Page(hs.report(fit, tmp_path / "a.html").read_text(encoding="utf-8"))
    assert page.said("h1") == ["Log odds ratio by site"]
    script = page.said("code")[-1]
    assert "arm='arm', successes='ill', trials='given', control='placebo')" in script
    assert "hs.prior_sensitivity(fit) does" in page.said("main")[0]


@pytest.mark.slow
def test_draws_that_cannot_be_trusted_come_first(schools: Written, tmp_path: Path) -> None:
    data = schools.fits["partial"].data
    poor = hs.fit_poolings(data, seed=1, engine="stanli", draws=50)
    with pytest.warns(hs.HierstanWarning, match="the draws cannot be trusted"):
        file = hs.report(poor, tmp_path / "poor.html")
    page = Page(file.read_text(encoding="utf-8"))
    assert page.said("dd")[0].startswith("Do not rely on this page yet")
    assert "(not ok)" in page.said("main")[0]
    assert hs.diagnose(poor["partial"]).messages[0] in page.said("main")[0]


@pytest.mark.slow
def test_a_choice_is_made_where_one_is_asked_for(schools: Written, tmp_path: Path) -> None:
    file = hs.report(schools.fits, tmp_path / "choice.html", control="C", caring=1.0)
    table = hs.decision_table(schools.fits["partial"], "C", caring=1.0)
    page = Page(file.read_text(encoding="utf-8"))
    assert page.said("h2")[:2] == ["In short", "Which group to choose"]
    assert page.said("dd")[0] == table.attrs["advice"]
    assert page.said("a")[1] == "Choice"
    whole = page.said("main")[0]
    assert hs.winners_curse(schools.fits["partial"], control="C").verdict in whole
    assert "difference from C" in whole
    assert any("its difference from the control" in image["alt"] for image in page.all("img"))
    assert "control='C', caring=1.0, larger_is_better=True" in page.said("main")[0]
    with pytest.raises(hs.HierstanError, match="C1"):
        hs.report(schools.fits, file, control="C1")


@pytest.mark.slow
@pytest.mark.parametrize("names", [["complete"], ["partial"], ["complete", "none"]])
def test_fewer_fits_make_a_shorter_page(schools: Written, tmp_path: Path, names: list[str]) -> None:
    fits = {name: schools.fits[name] for name in names}
    given = fits if len(fits) > 1 else next(iter(fits.values()))
    heads = Page(hs.report(given, tmp_path / "a.html").read_text(encoding="utf-8")).said("h2")
    assert ("Which pooling do the data support?" in heads) == (len(names) > 1)
    assert ("How different are the groups?" in heads) == ("partial" in names)


@pytest.mark.slow
def test_many_groups_are_cut_short_and_it_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({0: [(n, "a") for n in range(400)] * 3, 1: rng.normal(size=1200)})
    data = hs.GroupedData.from_rows(frame, group=0, outcome=1)
    fits = {"a <fit>": hs.PartialPooling().fit(data, seed=1, engine="stanli")}
    page = Page(hs.report(fits, tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "The first 200 of 400 groups are shown." in page.said("p")
    assert any("hs.prior_sensitivity(fit) does" in text for text in page.said("p"))
    assert "a <fit>" in page.said("summary")[0]
    assert any(image["src"].startswith("data:image/png;") for image in page.all("img"))
    assert len(page.text) < 2_000_000


def test_categories_that_are_numbers_head_their_columns() -> None:
    frame = pd.DataFrame({"shop": list("aabb") * 3, "stars": [1, 3, 2, 3] * 3})
    data = hs.GroupedData.from_ratings(frame, group="shop", rating="stars", order=range(1, 5))
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", chains=1, warmup=100, draws=50)
    grid = data_grid(fit)
    assert grid.header == ("shop", "observations", "mean", "sd", "1", "2", "3", "4")
    assert grid.rows[0][-4:] == ("3", "0", "3", "0")


# the same again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("adjust", [[], ["age"]])
@pytest.mark.parametrize("arms", [{}, {"arm": "arm", "control": "c", "family": "ordinal"}])
def test_its_script_makes_the_same_ratings(arms: dict[str, str], adjust: list[str]) -> None:
    frame = pd.DataFrame({"g": np.repeat(list("ab"), 8), "arm": list("ct") * 8})
    frame["stars"], frame["age"] = [1, 3, 2, 2] * 4, np.arange(16) % 5 / 2
    make = hs.GroupedData.from_trial if arms else hs.GroupedData.from_ratings
    role = {"outcome" if arms else "rating": "stars"}
    data = make(frame, group="g", order=[1, 2, 3, 4], **role, **arms, adjust=adjust)
    few = {"engine": "stanli", "chains": 1, "warmup": 100, "draws": 50, "progress": False}
    lines = script({"partial": hs.PartialPooling().fit(data, seed=1, **few)}, {}).splitlines()
    made = {"hs": hs, "frame": frame}
    exec(next(line for line in lines if line.startswith("data = ")), made)
    pd.testing.assert_frame_equal(made["data"].cells, data.cells)
    assert made["data"].family == data.family


@pytest.mark.slow
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
    assert len(page.all("img")) == 6
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it(written: Written, tmp_path: Path, width: int) -> None:
    from matplotlib import image

    chromium()
    picture = tmp_path / "screen.png"
    visit(written.file, tmp_path, f"--screenshot={picture}", width=width, height=4000)
    pixels = image.imread(picture)[..., :3].mean(axis=2)
    assert pixels.shape == (4000, width)
    assert (np.ptp(pixels.reshape(8, -1), axis=1) > 0.5).all(), "every part of it shows something"


@pytest.mark.parametrize("width", [1280, 840, 390])
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


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_the_verdict_on_each_group_is_in_sight(
    players: Written, tmp_path: Path, width: int
) -> None:
    script = """
      const inside = (e) => { const box = e.getBoundingClientRect();
        return box.width > 20 && box.height > 8 && box.left >= 0 && box.right <= innerWidth; };
      const cells = [...document.querySelectorAll('#decisions-table tbody td')];
      const verdicts = cells.filter((e) => e.dataset.head == 'verdict');
      tell({rows: document.querySelectorAll('#decisions-table tbody tr').length,
        verdicts: verdicts.filter(inside).length, cut: cells.filter((e) => !inside(e)).length,
        first: verdicts[0].getBoundingClientRect().top < 3 * innerHeight});
    """
    assert evaluate(players.file, tmp_path, script, width=width) == {
        "rows": 18,
        "verdicts": 18,
        "cut": 0,
        "first": True,
    }


@pytest.mark.slow
def test_figures_fit_a_phone_and_can_be_read_there(written: Written, tmp_path: Path) -> None:
    script = """
      tell([...document.images].map((i) => [i.getBoundingClientRect().width <= innerWidth,
        Math.abs(i.width / i.height - i.naturalWidth / i.naturalHeight) < 0.1,
        i.getBoundingClientRect().width > 0.85 * i.naturalWidth]));
    """
    assert evaluate(written.file, tmp_path, script, width=390) == [[True, True, True]] * 6


@pytest.mark.slow
def test_small_tables_are_whole_on_a_phone(segments: Written, tmp_path: Path) -> None:
    script = """
      const cut = (e) => e.getBoundingClientRect().right > innerWidth;
      tell([...document.querySelectorAll('table')].filter((t) => t.closest('.whole'))
        .map((t) => [t.id, [...t.querySelectorAll('td')].filter(cut).length]));
    """
    found = dict(evaluate(segments.file, tmp_path, script, width=390))
    assert {"checks-table", "powerrate-table", "spreadamount-table"} <= set(found)
    assert set(found.values()) == {0}


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_heads_of_columns_break_between_words_alone(
    clinics: Written, tmp_path: Path, width: int
) -> None:
    script = r"""
      const broken = [], range = document.createRange();
      const heads = [...document.querySelectorAll('.scroll thead th span')];
      for (const text of heads.map((e) => e.firstChild))
        for (const word of text.data.matchAll(/\S+/g)) {
          range.setStart(text, word.index);
          range.setEnd(text, word.index + word[0].length);
          if (range.getClientRects().length > 1) broken.push(word[0]);
        }
      tell([heads.length > 10, broken]);
    """
    assert evaluate(clinics.file, tmp_path, script, width=width) == [True, []]


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
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


def test_poolings_are_told_for_what_they_are() -> None:
    quick = {"seed": 1, "engine": "stanli", "draws": 50, "warmup": 100, "chains": 2}
    for data, meant, formula in (
        (structured_data("normal_known"), "The groups differ by what they are.", "u[region of j]"),
        (small_data("binomial_treatment"), "The groups share one effect.", "theta[j] = mu"),
    ):
        fits = hs.fit_poolings(data, progress=False, **quick)
        models = sections.poolings(fits, fits["partial"], 0.9)["models"]
        assert models[0]["words"] == meant
        assert formula in models[0]["formula"]
        assert all(one["formula"].startswith("theta[j] ") for one in models)

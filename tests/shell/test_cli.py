"""The command line, in this process and in one of its own."""

from __future__ import annotations

import gzip
import html
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.shell import cli, printed
from hierstan.shell.arguments import parse
from hierstan.shell.cli import main
from hierstan.shell.taken import take
from hierstan.shell.written import write_picture

COMMAND = [shutil.which("hierstan", path=str(Path(sys.executable).parent)) or "hierstan"]
SCHOOLS = ["--group", "school", "--estimate", "effect", "--se", "se", "--engine", "stanli"]
QUICK = {**os.environ, "HIERSTAN_ENGINE": "stanli", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def schools(tmp_path: Path) -> Path:
    """Return a file of the eight schools."""
    file = tmp_path / "schools.csv"
    hs.load_dataset("eight_schools").to_csv(file, index=False)
    return file


def refused(
    capsys: pytest.CaptureFixture[str], file: Path, content: str | bytes, *, columns: list[str]
) -> str:
    """Run `compare` on a file that is to be refused; return the message."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["compare", str(file), *columns]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("hierstan: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


# what it does -----------------------------------------------------------------------------------


def test_python_runs_it_as_a_module() -> None:
    command = [sys.executable, "-m", "hierstan"]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"hierstan {hs.__version__}\n", "")
    assert subprocess.run([*command, "demo", "extra"], capture_output=True).returncode == 2


@pytest.mark.slow
def test_the_demo_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--engine", "stanli"],
        cwd=tmp_path,
        env={**QUICK, "PYTHONWARNINGS": "error"},
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("Eight schools", "Leave one observation out", "cannot tell", "pooling factor"):
        assert said in done.stdout
    assert re.search(r"^A +28\.0 +15\.0 ", done.stdout, re.MULTILINE)
    lines = [line for line in done.stdout.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) < 80
    assert (tmp_path / "hierstan-demo.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["hierstan-demo.png"]


@pytest.mark.slow
def test_compare_prints_the_same_again(schools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(schools), *SCHOOLS]) == 0
    first = capsys.readouterr().out
    assert main(["compare", str(schools), *SCHOOLS]) == 0
    assert capsys.readouterr().out == first
    assert "8 groups" in first
    assert "seed 1" in first


def test_compare_says_what_the_library_says(
    schools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--unit", "group", "--prob", "0.5", "--seed", "2"]
    assert main(["compare", str(schools), *SCHOOLS, *options]) == 0
    output = capsys.readouterr().out
    frame = hs.load_dataset("eight_schools").astype({"school": str})
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    fits = hs.fit_poolings(data, seed=2, engine="stanli")
    assert " ".join(hs.compare(fits, unit="group").verdict.split()) in " ".join(output.split())
    mean = hs.shrinkage(fits["partial"], prob=0.5)
    line = next(line for line in output.splitlines() if line.startswith("A "))
    shown = [float(text) for text in line.split()[1:]]
    wanted = mean.loc["A", ["raw", "raw_se", "mean", "sd", "lower", "upper", "pooling_factor"]]
    assert [*shown[:2], *shown[4:]] == pytest.approx(wanted.to_list(), abs=0.06)
    assert "the 50% interval" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "columns"),
    [
        ("baseball", "--group player --successes hits --trials at_bats"),
        ("pumps", "--group pump --events failures --exposure hours"),
        ("pumps", "--group pump --events failures"),
        ("dyes", "--group batch --outcome yield"),
        ("dyes", "--group batch --outcome yield --family lognormal"),
    ],
)
def test_every_kind_of_data(
    dataset: str, columns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, picture = tmp_path / "data.csv", tmp_path / "picture.svg"
    frame = hs.load_dataset(dataset)
    frame.to_csv(file, index=False)
    options = [*columns.split(), "--engine", "stanli", "--plot", str(picture)]
    assert main(["compare", str(file), *options]) == 0
    output = capsys.readouterr().out
    label = columns.split()[1]
    assert re.search(rf"^{label} +raw", output, re.MULTILINE)
    assert str(frame[label].iloc[-1]) in output
    assert max(map(len, output.splitlines()[1:-1])) < 80
    assert "<svg" in picture.read_text()


def test_ratings_are_numbers_or_labels_in_an_order(tmp_path: Path) -> None:
    words, file = {1: "poor", 2: "fair", 3: "good"}, tmp_path / "ratings.csv"
    frame = pd.DataFrame({"store": list("aabbcc") * 4, "stars": [1, 2, 3, 3, 2, 2] * 4})
    command = ["compare", str(file), "--group", "store", "--rating", "stars", "--order"]
    frame.to_csv(file, index=False)
    numbers = take(parse([*command, "1,2,3"])).data
    with pytest.raises(hs.DataError, match="ratings are numbers"):
        take(parse([*command, "poor,fair,good"]))
    frame.assign(stars=frame["stars"].map(words)).to_csv(file, index=False)
    labels = take(parse([*command, "poor, fair,good"])).data
    pd.testing.assert_frame_equal(labels.cells, numbers.cells)
    assert printed.described(labels) == "ratings of 3 groups in 24 rows, ordinal family"
    with pytest.raises(hs.DataError) as caught:
        take(parse([*command, "poor,fair,great"]))
    assert "what is missing to --order." in printed.in_words_of_the_shell(str(caught.value))
    assert (
        parse([*command, "1,2", "--prior", "cutpoint=Dirichlet(2)"]).prior[0][1].concentration == 2
    )


@pytest.mark.slow
def test_standard_input_and_labels_as_they_stand() -> None:
    table = "\ufeffsite,effect,se\r\n007,28,15\r\nNA,8,10\r\n\r\nZürich,-3,16\r\n"
    done = subprocess.run(
        [*COMMAND, "compare", "-", "--group", "site", *SCHOOLS[2:]],
        input=table,
        env=QUICK,
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    for label in ("007", "NA", "Zürich"):
        assert re.search(rf"^{label} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("terminal", [True, False])
def test_many_groups_and_long_labels_stay_apart(
    terminal: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "many.csv"
    rows = [f"{'long ' * 20}{number},{number % 7 + 10},1" for number in range(70)]
    file.write_text("\n".join(["g,y,s", *rows]))
    options = ["--group", "g", "--estimate", "y", "--se", "s", "--engine", "stanli"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert main(["compare", str(file), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "… and 10 more: --output writes them all" in lines
    labels = [line.split("  ")[0] for line in lines if line.startswith("long ")]
    assert len(set(labels)) == 60
    assert (max(map(len, lines)) < 80) is terminal
    assert (f"{'long ' * 20}59" in labels) is not terminal


def test_templates_are_copied_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    assert main(["templates", str(folder)]) == 0
    assert str(folder) in capsys.readouterr().out
    assert (folder / "partial_pooling.stan").exists()
    assert main(["templates", str(folder)]) == 1
    assert "may have been edited" in capsys.readouterr().err
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["templates", str(blocked)]) == 1
    assert capsys.readouterr().err.startswith("hierstan: ")


@pytest.mark.slow
def test_edited_templates_reach_the_shell(
    schools: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["compare", str(schools), *SCHOOLS])
    as_shipped = capsys.readouterr().out
    main(["templates", str(tmp_path / "mine")])
    capsys.readouterr()
    file = tmp_path / "mine" / "partial_pooling.stan"
    program = file.read_text()
    file.write_text(program.replace("theta ~ normal(mu, tau);", "theta ~ student_t(4, mu, tau);"))
    monkeypatch.setenv("HIERSTAN_TEMPLATES", str(tmp_path / "mine"))
    assert main(["compare", str(schools), *SCHOOLS]) == 0
    assert capsys.readouterr().out != as_shipped
    file.write_text(program.replace("theta ~ normal", "theta ~ nrmal"))
    assert main(["compare", str(schools), *SCHOOLS]) == 1
    assert "partial_pooling.stan, line " in capsys.readouterr().err


def test_alone_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("usage: hierstan")
    assert captured.err == ""


@pytest.mark.slow
def test_the_demo_ends_by_what_to_do_with_a_table_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--engine", "stanli"]) == 0
    output = capsys.readouterr().out
    assert str(tmp_path / "hierstan-demo.png") in output
    end = output[output.index("In words:") :]
    assert {line.split()[0] for line in end.splitlines()[1:4]} == {"tau", "elpd", "±"}
    own = next(line.split() for line in end.splitlines() if line.startswith("  hierstan compare"))
    hs.load_dataset("eight_schools").to_csv(tmp_path / "FILE.csv", index=False)
    names = iter(["school", "effect", "se"])
    asked = [next(names) if word == "COLUMN" else word for word in own[1:]]
    assert main([*asked, "--engine", "stanli"]) == 0


# the user's file, and what is written -----------------------------------------------------------


def written(file: Path, *more: str, name: str = "out.csv") -> pd.DataFrame:
    """Run `compare` on a file of the schools; return the table that it writes."""
    out = file.with_name(name)
    assert main(["compare", str(file), *SCHOOLS, "--output", str(out), "--quiet", *more]) == 0
    read = {".csv": pd.read_csv, ".json": pd.read_json, ".parquet": pd.read_parquet}
    return read[out.suffix](out)


@pytest.mark.slow
def test_every_format_is_read_and_written_alike(
    schools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = written(schools)
    assert capsys.readouterr() == ("", "")
    frame = hs.load_dataset("eight_schools")
    assert table.iloc[:, 0].to_list() == frame["school"].to_list()
    assert table["raw"].to_list() == frame["effect"].to_list()
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    fit = hs.fit_poolings(data, seed=1, engine="stanli")["partial"]
    moved = hs.shrinkage(fit)
    assert table["partial"].to_list() == pytest.approx(moved["mean"].to_list())
    for column in ("raw_se", "sd", "lower", "upper", "pooling_factor"):
        assert table[column].to_list() == pytest.approx(moved[column].to_list())
    frame.to_csv(schools.with_name("schools.csv.gz"), index=False)
    frame.to_parquet(schools.with_name("schools.parquet"))
    german = {"sep": ";", "decimal": ",", "encoding": "utf-16"}
    frame.to_csv(schools.with_name("german.csv"), index=False, **german)
    options = ["--sep", ";", "--decimal", ",", "--encoding", "utf-16"]
    for file, name, more in (
        ("schools.csv.gz", "out.json", []),
        ("schools.parquet", "out.parquet", []),
        ("german.csv", "out.csv", options),
    ):
        again = written(schools.with_name(file), *more, name=name)
        pd.testing.assert_frame_equal(again, table, check_dtype=False, rtol=1e-6)
    columns = [*SCHOOLS, "--sep", ";"]
    assert main(["compare", str(schools.with_name("schools.parquet")), *columns]) == 1
    assert "Leave --sep" in capsys.readouterr().err


@pytest.mark.slow
def test_priors_probability_and_title_reach_the_answers(schools: Path) -> None:
    page = schools.with_name("page.html")
    prior = ["--prior", "tau=HalfNormal(scale=0.01)", "--prior", "mu=Normal(0, 10)"]
    more = [*prior, "--prob", "0.5", "--title", "What coaching adds", "--report", str(page)]
    table = written(schools, *more)
    assert table["pooling_factor"].min() > 0.99
    assert (table["upper"] - table["lower"]).to_numpy() == pytest.approx(
        2 * 0.674 * table["sd"].to_numpy(), rel=0.1
    )
    text = page.read_text(encoding="utf-8")
    assert "<h1>What coaching adds</h1>" in text
    assert "HalfNormal(0.01)" in text


@pytest.mark.slow
def test_the_title_stands_on_the_picture(schools: Path) -> None:
    picture = schools.with_name("a.svg")
    options = ["--plot", str(picture), "--quiet", "--title"]
    drawn = []
    for title in ("What coaching adds", "Else"):
        assert main(["compare", str(schools), *SCHOOLS, *options, title]) == 0
        drawn.append(picture.read_text(encoding="utf-8"))
    assert "What coaching adds" in drawn[0]  # as a comment beside the outlines of its letters
    assert "Partial pooling" not in drawn[0]
    assert drawn[0] != drawn[1]


@pytest.mark.slow
def test_customers_are_taken_in_two_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    variant = np.repeat(list("AB"), [120, 100])
    spent = np.where(rng.random(220) < 0.4, rng.gamma(4, 5, 220).round(2), 0)
    file, out, picture = (tmp_path / name for name in ("a.csv", "out.csv", "a.svg"))
    pd.DataFrame({"variant": variant, "spent": spent}).to_csv(file, index=False)
    columns = ["--group", "variant", "--outcome", "spent", "--two-part", "--family", "gamma"]
    line = ["compare", str(file), *columns, "--engine", "stanli"]
    more = ["--control", "A", "--caring", "0.5", "--output", str(out), "--plot", str(picture)]
    assert main([*line, *more]) == 0
    said = " ".join(capsys.readouterr().out.split())
    data = pd.read_csv(file)
    fit = hs.TwoPart("gamma").fit(data, group="variant", outcome="spent", seed=1, engine="stanli")
    assert "Who buys. Leave one observation out" in said
    assert "How much they spend. Leave one observation out" in said
    assert "caring sets another limit" not in said
    board = hs.decision_table(fit, "A", caring=0.5)
    assert board.attrs["advice"] in said
    table = pd.read_csv(out).set_index("variant")
    means = hs.group_means(fit)["mean"]
    assert table["partial"].to_dict() == pytest.approx(means.to_dict())
    assert {"pooling_factor_rate", "pooling_factor_amount"} <= set(table)
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--estimate", "y", "--se", "s"], "--two-part goes with --outcome, not with --estimate"),
        (["--outcome", "y", "--factor", "f"], "--factor does not go with --two-part"),
        (["--outcome", "y", "--group", "f"], "--group more than once does not go"),
        (["--outcome", "y", "--family", "poisson"], "poisson does not go with --two-part"),
    ],
)
def test_what_does_not_go_with_two_parts_is_said(
    more: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "a.csv", "--group", "g", "--two-part", *more]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.slow
def test_choosing_a_group(schools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--control", "C", "--caring", "50", "--smaller-is-better", "--report"]
    page, out = schools.with_name("page.html"), schools.with_name("out.csv")
    more = [*options, str(page), "--output", str(out)]
    assert main(["compare", str(schools), *SCHOOLS, *more]) == 0
    said = capsys.readouterr().out
    frame = hs.load_dataset("eight_schools").astype({"school": str})
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    board = hs.decision_table(fit, control="C", caring=50, larger_is_better=False)
    assert " ".join(board.attrs["advice"].split()) in " ".join(said.split())
    assert re.search(rf"^{board.index[0]} .* choose$", said, re.MULTILINE)
    table = pd.read_csv(out)
    assert table.iloc[:, 0].to_list() == board.index.to_list()
    for name in ("uplift", "prob_better", "prob_best", "expected_loss"):
        assert table[name].to_list() == pytest.approx(board[name].to_list())
    assert str(board.attrs["advice"]) in " ".join(html.unescape(page.read_text()).split())
    assert main(["compare", str(schools), *SCHOOLS, "--control", "c"]) == 1
    assert "--control c is no group. Did you mean 'C'?" in capsys.readouterr().err


def test_several_columns_make_the_groups(tmp_path: Path) -> None:
    file = tmp_path / "variants.csv"
    rows = ["a,web,30,7", "a,app,40,4", "b,web,20,1", "b,app,25,5"]
    file.write_text("\n".join(["variant,device,visits,bought", *rows]))
    line = f"compare {file} --group variant --group device --successes bought --trials visits"
    data = take(parse(line.split())).data
    assert data.groups.names == ["variant", "device"]
    assert data.groups.to_list() == [("a", "web"), ("a", "app"), ("b", "web"), ("b", "app")]


# how quick it is --------------------------------------------------------------------------------


@pytest.mark.slow
def test_factors_are_told_level_by_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"shop": range(9), "zone": ["01"] * 3 + ["02"] * 3 + ["NA"] * 3})
    frame["sales"], frame["se"] = [1.0, 2, 3, 6, 7, 8, 3, 4, 5], 1.0
    frame.to_csv(tmp_path / "shops.csv", index=False)
    line = f"compare {tmp_path / 'shops.csv'} --group shop --factor zone --by zone"
    options = parse(f"{line} --estimate sales --se se".split())
    data = take(options).data
    assert data.levels["zone"].tolist() == ["01", "02", "NA"]
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=500, progress=False)
    printed.print_levels(fit, options.by, 0.9)
    printed.print_components(fit, 0.9)
    said = capsys.readouterr().out
    assert re.search(r"^zone +adds +sd +lower +upper +pooled$", said, re.MULTILINE)
    assert re.search(r"^02 +\d", said, re.MULTILINE)
    assert "The levels of zone" in said
    assert max(map(len, said.splitlines())) < 80
    write_picture(fit, str(tmp_path / "shops.png"), by=options.by)
    assert (tmp_path / "shops.png").read_bytes().startswith(b"\x89PNG")


def test_help_loads_nothing_heavy() -> None:
    heavy = "arviz_base jinja2 matplotlib numpy pandas scipy stanli tqdm xarray"
    code = (
        "import sys; from hierstan.shell.cli import main; main(['--help']); "
        "main(['compare', '--help']);"
        f"print(sorted(set({heavy.split()!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "[]\n"
    assert "exit codes" in done.stdout


# the command line -------------------------------------------------------------------------------


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hierstan {hs.__version__}\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compare", "required"),
        ("compare a.csv --group g", "--estimate"),
        ("compare a.csv --group g --estimate y", "--estimate needs --se"),
        ("compare a.csv --group g --successes y", "--successes needs --trials"),
        ("compare a.csv --group g --estimate y --se s --trials n", "--trials does not go with"),
        ("compare a.csv --group g --outcome y --se s", "--se does not go with --outcome"),
        ("compare a.csv --group g --events y --family normal", "--family normal does not go with"),
        ("compare a.csv --group g --estimate y --se s --outcome z", "not allowed with"),
        ("compare a.csv --group g --outcome y --family nromal", "student_t"),
        ("compare a.csv --group g --outcome y --prob 90", "between 0 and 1"),
        ("compare a.csv --group g --outcome y --plot out.txt", ".png"),
        ("compare a.csv --group g --outcome y --plot no/where.png", "no folder 'no'"),
        ("compare a.csv --group g --outcome y --engine stan", "cmdstan"),
        ("compare a.csv --group g --outcome y --seed one", "--seed"),
        ("compare a.csv --group g --outcome y --report r.txt", ".html"),
        ("compare a.csv --group g --outcome y --famly normal", "--famly. Did you mean '--family'"),
        ("compare a.csv --gruop g --outcome y", "--gruop. Did you mean '--group'?"),
        ("compare a.csv -group g --outcome y", "there is no option -group"),
        ("--verison", "--verison. Did you mean '--version'?"),
        ("compare a.csv --group g --outcome y --quiet", "--quiet leaves nothing"),
        ("compare a.csv --group g --outcome y --caring little", "'little' is no number"),
        ("compare a.csv --group g --outcome y --sep ab", "one character"),
        ("compare a.csv --group g --outcome y --decimal ;", ". or ,"),
        ("compare a.csv --group g --outcome y --encoding utf-99", "no known encoding"),
        ("compare a.csv --group g --outcome y --output out.xlsx", ".parquet"),
        ("compare a.csv --group g --outcome y --prior tau", "must look like tau="),
        ("compare a.csv --group g --outcome y --prior tau=Half(1)", "HalfNormal"),
        ("compare a.csv --group g --outcome y --prior tau=HalfNormal", "with its numbers"),
        ("compare a.csv --group g --outcome y --prior tau=HalfNormal(1,2)", "with its numbers"),
        ("compare a.csv --group g --outcome y --prior tau=HalfNormal(-1)", "scale must be above 0"),
        ("compare a.csv --group g --outcome y --prior tau=HalfNormal(open(1))", "its numbers"),
        ("compare a.csv --group g --outcome y --by r", "--by r is none of the factors"),
        ("templates", "DIRECTORY"),
        ("explain", "compare"),
    ],
)
def test_usage_is_explained(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("hierstan: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert "--help" in captured.err


# files and data that are refused ----------------------------------------------------------------

GOOD = "school,effect,se\nA,28,15\nB,8,10\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("school,effect,se\n", "no rows"),
        (GOOD.replace(",", ";"), "by semicolons, not by commas. Give --sep ';'"),
        (GOOD.replace(",", "\t"), "by tabs, not by commas. Give --sep tab"),
        (GOOD.replace("effect", "efect"), "Did you mean 'efect'"),
        (GOOD.replace("se\n", "effect\n"), "several columns of the same name: 'effect'"),
        (GOOD.replace("B,8,10", "B,8,10,3"), "Line 3"),
        ("school,effect,se\nA,1,500,15\nB,1,200,10\n", "double quotes"),
        (GOOD.replace("B,8", '"B,8'), "double quote that is never closed"),
        (GOOD.replace("B,8,", 'B,"8,5",'), "need --decimal ,"),
        (GOOD.replace("B,8,", "B,?,"), "row 3: '?'"),
        (GOOD.replace("B,8,10", "B,8,"), "row 3"),
        (GOOD.replace("B,8,10", "B"), "row 3"),
        (GOOD.replace("B,8,10", "B,8,0"), "row 3"),
        (GOOD.replace("B,8,10", ",8,10"), "row 3"),
        (GOOD.replace("B,", "A,"), "use --outcome"),
        ("school,effect,se\nA,28,15\n", "data with more groups"),
        (GOOD.replace("B", "Zürich").encode("latin-1"), "line 3 holds the byte 0xfc"),
        (GOOD.replace("B", "Zürich").encode("latin-1"), "--encoding latin-1"),
        (GOOD.encode("utf-16"), "--encoding utf-16"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "no complete gzip"),
        (b"PAR1 and no more", "no readable parquet"),
        (b"PK\x03\x04\x14\x00", "workbook"),
        (b"school\x00,effect,se\n", "not text"),
    ],
)
def test_files_are_refused_with_the_reason(
    content: str | bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, tmp_path / "data.csv", content, columns=SCHOOLS)


def test_a_file_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schools.csv").write_text(GOOD)
    assert main(["compare", str(tmp_path / "school.csv"), *SCHOOLS]) == 1
    assert "Did you mean 'schools.csv'" in capsys.readouterr().err
    assert main(["compare", str(tmp_path), *SCHOOLS]) == 1
    assert capsys.readouterr().err.startswith("hierstan: ")


@pytest.mark.slow
def test_a_picture_that_cannot_be_written(
    schools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "picture.png").mkdir()
    options = ["--plot", str(tmp_path / "picture.png")]
    assert main(["compare", str(schools), *SCHOOLS, *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("hierstan: ")
    assert "picture.png" in error


@pytest.mark.parametrize("seed", ["0", "-1", str(2**32)])
def test_an_impossible_seed(seed: str, schools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(schools), *SCHOOLS, "--seed", seed]) == 1
    assert "hierstan: seed must be" in capsys.readouterr().err


@pytest.mark.slow
def test_bernoulli_rows_of_true_and_false(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "visits.csv"
    rows = [f"{page},{number % 3 == 0}" for page in "ab" for number in range(30)]
    file.write_text("\n".join(["page,bought", *rows]))
    options = ["--group", "page", "--outcome", "bought", "--engine", "stanli"]
    assert main(["compare", str(file), *options]) == 1
    assert "--family bernoulli" in capsys.readouterr().err
    assert main(["compare", str(file), *options, "--family", "bernoulli"]) == 0


# the process ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(schools: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "compare", str(schools), *SCHOOLS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=QUICK,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has other signals")
def test_ctrl_c_stops_quietly() -> None:
    process = subprocess.Popen(
        [*COMMAND, "compare", "-", *SCHOOLS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**QUICK, "PYTHONUNBUFFERED": "1"},
    )
    time.sleep(2.0)  # by now it waits for its input
    process.send_signal(signal.SIGINT)
    output, error = process.communicate()
    assert (process.returncode, output) == (130, b"")
    assert error == b"hierstan: interrupted\n"


@pytest.mark.slow
def test_no_pictures_are_loaded_for_numbers_and_any_terminal_shows_them(schools: Path) -> None:
    code = (
        "import sys; from hierstan.shell.cli import main; code = main(sys.argv[1:]);"
        "print(code, 'arviz_plots' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", str(schools), *SCHOOLS],
        env={**QUICK, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="ascii",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n0 False False\n")
    assert "Leave one observation out" in done.stdout


def test_warnings_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    def warn(_: object) -> None:
        warnings.warn("mind this", hs.HierstanWarning, stacklevel=1)

    monkeypatch.setitem(cli.COMMANDS, "demo", warn)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(["demo"]) == 0
    assert capsys.readouterr().err == "hierstan: warning: mind this\n"


@pytest.mark.slow
def test_predictors_are_used_and_their_slopes_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schools.csv"
    hs.load_dataset("eight_schools").assign(size=[3, 1, 4, 1, 5, 9, 2, 6]).to_csv(file, index=False)
    columns = ["--group", "school", "--estimate", "effect", "--se", "se", "--engine", "stanli"]
    assert main(["compare", str(file), *columns, "--predictors", "size"]) == 0
    said = capsys.readouterr().out
    assert "How group means change with the predictors" in said
    assert re.search(r"^size +-?\d", said, re.MULTILINE)
    assert "Beyond what size can explain" in said
    assert main(["compare", str(file), *columns, "--predictors", "sise"]) == 1
    assert "no column 'sise', given as --predictors. Did you mean 'size'" in capsys.readouterr().err


# two arms ---------------------------------------------------------------------------------------

ARMS = ["--group", "shop", "--arm", "page", "--control", "1"]
GIVEN = {
    "counts": ["--successes", "bought", "--trials", "users"],
    "rows": ["--outcome", "spent", "--family", "gamma"],
    "means": ["--mean", "spent", "--sd", "sd", "--n", "users"],
    "events": ["--events", "bought", "--exposure", "users"],
}


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Return a file with two arms in each of five shops, which are numbered."""
    shops = ["007", "8", "9", "10", "11"]
    frame = pd.DataFrame({"shop": [shop for shop in shops for _ in "12"], "page": [1, 2] * 5})
    frame["users"], frame["bought"] = range(90, 100), [20, 31, 18, 22, 25, 28, 11, 19, 30, 33]
    frame["spent"], frame["sd"] = [round(9 + k % 3 + k / 7, 2) for k in range(10)], 2.5
    file = tmp_path / "experiment.csv"
    frame.to_csv(file, index=False)
    return file


def test_two_arms_of_ratings_from_a_long_table(experiment: Path) -> None:
    frame = pd.read_csv(experiment).assign(stars=[1, 2, 3, 2, 1, 3, 3, 2, 1, 2])
    frame.to_csv(experiment, index=False)
    given = ["--rating", "stars", "--order", "1,2,3,4"]
    data = take(parse(["compare", str(experiment), *ARMS, *given])).data
    assert data.family == "ordinal_treatment"
    assert data.categories is not None
    assert data.categories.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", GIVEN)
def test_two_arms_from_a_long_table(kind: str, experiment: Path) -> None:
    columns = [*ARMS, *GIVEN[kind]]
    data = take(parse(["compare", str(experiment), *columns])).data
    assert data.groups.tolist() == ["007", "8", "9", "10", "11"]
    frame = pd.read_csv(experiment, dtype={"shop": str, "page": str})
    given = dict(zip((name[2:] for name in columns[::2]), columns[1::2], strict=True))
    same = hs.GroupedData.from_trial(frame, **given)
    pd.testing.assert_frame_equal(data.cells, same.cells)
    assert " in two arms of 5 groups" in printed.described(data)


@pytest.mark.slow
def test_what_a_treatment_changes_is_printed_and_written(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = experiment.with_suffix(".json")
    page = experiment.with_suffix(".html")
    line = ["compare", str(experiment), *ARMS, *GIVEN["counts"], "--engine", "stanli"]
    assert main([*line, "--output", str(file), "--report", str(page)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Effects (log odds ratio): raw and under each pooling." in told
    assert "Risk difference (treatment - control)" in told
    assert "% with the treatment and " in told
    assert "the log odds ratio is" in told  # how effects go with baselines
    table = pd.read_json(file)
    data = take(parse(line[:-2])).data
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    found = hs.absolute_effects(fit)
    assert table["difference"].to_list() == pytest.approx(found.table["mean"].to_list())
    assert table["treated"].to_list() == pytest.approx(found.table["treated"].to_list())
    assert "two arms" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--arm", "page", *GIVEN["counts"]], "--arm needs --control beside it"),
        (
            ["--arm", "page", "--control", "1", "--estimate", "spent", "--se", "sd"],
            "--arm goes with --successes, --events, --outcome, --mean, --rating, not with --est",
        ),
        (
            ["--mean", "spent", "--sd", "sd", "--n", "users", "--adjust", "page"],
            "--adjust goes with --successes, --events, --outcome, --rating, not with --mean",
        ),
        ([*ARMS[2:], *GIVEN["counts"], "--smaller-is-better"], "--smaller-is-better does not go"),
        (["--mean", "spent", "--sd", "sd"], "--mean needs --n beside it"),
    ],
)
def test_what_does_not_go_with_arms(
    more: list[str], said: str, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(experiment), "--group", "shop", *more]) == 2
    assert said in capsys.readouterr().err


def test_rows_are_adjusted_for_columns(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(experiment, dtype={"shop": str, "page": str})
    frame = pd.concat([frame, frame.assign(bought=frame["bought"] + 3)], ignore_index=True)
    frame["k"] = frame["shop"] + frame["page"]
    frame["day"], frame["age"] = ["Sun"] * 10 + ["Mon"] * 10, [k * k % 13 for k in range(20)]
    frame.to_csv(experiment, index=False)
    line = ["compare", str(experiment), *ARMS, *GIVEN["counts"], "--adjust", "day", "age"]
    data = take(parse(line)).data
    assert data.covariates is not None
    assert data.covariates.index.tolist() == ["day: Sun", "age"]
    options = {"seed": 1, "engine": "stanli", "chains": 1, "draws": 50, "warmup": 100}
    printed.print_covariates(hs.PartialPooling().fit(data, **options), 0.9)
    said = capsys.readouterr().out
    assert re.search(r"^day: Sun vs Mon +-0\.", said, re.MULTILINE)
    assert parse([*line, "--unit", "arm"]).unit == "arm"
    assert main([*line[:-1], "k"]) == 1
    assert "leave it out of --adjust." in " ".join(capsys.readouterr().err.split())


def test_a_control_that_is_no_arm(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [*ARMS[:-1], "old", *GIVEN["counts"]]
    assert main(["compare", str(experiment), *line]) == 1
    assert "does not hold the control 'old'" in capsys.readouterr().err

"""What the shell prints: the comparison first, then the groups, then how different they are."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from hierstan.answers.comparison.comparison import Comparison
    from hierstan.data.grouped_data import GroupedData
    from hierstan.data.two_part import TwoPartData
    from hierstan.fit.fit import Fit
    from hierstan.fit.two_part import TwoPartFit

WIDTH = 79
MOST_GROUPS = 60
LEAST_LABEL = 12  # columns that a group's label has, however wide the numbers
KIND_WORDS = {
    "estimate": "estimates with standard errors",
    "successes": "successes in trials",
    "events": "events",
    "events_treatment": "events in two arms",
    "outcome": "outcomes",
    "rating": "ratings",
    "mean": "means with standard deviations",
}
IN_WORDS_OF_THE_SHELL = (
    (r"^The frame", "The file"),
    (r"to order=\.", "to --order."),
    (r"with order=\[\.\.\.\]", "with --order"),
    (r", with frame\.dropna\([^)]*\),", ""),
    (r"[Uu]se GroupedData\.from_rows", "use --outcome"),
    (r"(go to|for) from_rows with family='bernoulli'", r"\1 --outcome with --family bernoulli"),
    (r"go to from_rows", "go to --outcome"),
    (r"Use CompletePooling, or data with more groups\.", "Give data with more groups."),
    (r"[Uu]se unit='arm' or unit='group'", "Use --unit arm or --unit group"),
    (r"[Uu]se unit='group'", "Use --unit group"),
    (r"\badjust=", "--adjust"),
    (r"caring= sets another limit", "--caring sets another limit"),
    (r"Say so with caring=\.", "Say so with --caring."),
)


def described(data: GroupedData | TwoPartData) -> str:
    """Say what kind of data these are, and how many."""
    from hierstan.data.two_part import TwoPartData, describe
    from hierstan.families import FAMILIES

    if isinstance(data, TwoPartData):
        family = FAMILIES[data.amount.family].distribution or data.amount.family
        return f"who buys, and how much: {describe(data)}; {family} amounts"
    rows = "" if data.n_rows == len(data.groups) else f" in {data.n_rows:,} rows"
    kind = next(words for role, words in KIND_WORDS.items() if role in data.columns)
    kind += " in two arms" * ("arm" in data.columns)
    family = FAMILIES[data.family].distribution or data.family
    groups = f"{len(data.groups):,} group{'s' * (len(data.groups) != 1)}"
    return f"{kind} of {groups}{rows}, {family} family"


def print_filled(text: str) -> None:
    """Print text, with its long lines filled to the width of a terminal."""
    for line in text.split("\n"):
        print(line if len(line) <= WIDTH else textwrap.fill(line, WIDTH, break_on_hyphens=False))
    sys.stdout.flush()


def print_comparison(comparison: Comparison, head: str = "") -> None:
    """Print the table of leave-one-out and what it supports."""
    page = comparison.page()
    print((f"{head}. {page.title}" if head else page.title) + "\n")
    indent = 2 + max(len(name) for name, _ in page.facts)
    for name, words in page.facts:
        first = name.ljust(indent)
        print(textwrap.fill(words, WIDTH, initial_indent=first, subsequent_indent=" " * indent))
    print(f"\n{page.tables[0].text(WIDTH)}\n")
    print_filled(comparison.verdict)
    if head:
        print()


def print_diagnoses(fits: Mapping[str, Fit | TwoPartFit]) -> None:
    """Print why draws are not to be trusted, if they are not."""
    from hierstan.answers.diagnose import diagnose
    from hierstan.text.wording import pooling_words

    found = {name: diagnose(fit) for name, fit in fits.items()}
    for name, diagnosis in found.items():
        if not diagnosis.ok:
            print_filled(f"\n{pooling_words(name).capitalize()}: {' '.join(diagnosis.messages)}")


def print_groups(table: pd.DataFrame, data: GroupedData | TwoPartData, prob: float) -> None:
    """Print each group's raw estimate, its means, and what partial pooling did to it."""
    from hierstan.text.tables import numbers, percent, places

    decimals = max(places(table["sd"]) - 1, 0)
    names = {str(name): _pooled(str(name)) for name in table} | {"raw_se": "se"}
    columns = {
        names.get(str(name), str(name)): numbers(
            values.to_numpy(), 2 if str(name).startswith("pooling_factor") else decimals
        )
        for name, values in table.items()
    }
    effect = getattr(data, "effect", None)  # two parts have none
    what = f"Effects ({effect.link_words})" if effect else ""
    print()
    print_filled(
        f"{what or 'Group means'}: raw and under each pooling. Of partial pooling also the "
        f"standard deviation, the {percent(prob)} interval, and the pooling factor (0: its own "
        "data count, 1: those of the others)."
    )
    print()
    _print_by_group(table, data, columns)


def print_arms(fit: Fit, prob: float) -> None:
    """Print what the treatment changes on the outcome's own scale."""
    from hierstan.answers.differences.absolute import absolute_effects

    print(f"\n{absolute_effects(fit, prob=prob)!r}")


def print_choice(table: pd.DataFrame, data: GroupedData | TwoPartData) -> None:
    """Print the table to decide by, and what to do."""
    from hierstan.text.tables import numbers, places

    compared = "uplift" in table
    lines = ["uplift", "uplift_lower", "uplift_upper"] if compared else ["mean", "lower", "upper"]
    heads = ["uplift" if compared else "mean", "lower", "upper"]
    decimals = places((table[lines[2]] - table[lines[1]]) / 4)
    columns = {
        head: numbers(table[name].to_numpy(), decimals)
        for head, name in zip(heads, lines, strict=True)
    }
    for name in ["prob_better"] * compared + ["prob_best"]:
        columns[name.replace("prob_", "P(") + ")"] = numbers(table[name].to_numpy(), 2)
    columns["loss"] = numbers(table["expected_loss"].to_numpy(), decimals)
    columns["verdict"] = table["verdict"].to_list()
    print()
    print_filled(f"{table.attrs['caption']}. Loss: what choosing the group is expected to cost.")
    print()
    _print_by_group(table, data, columns, words=("verdict",))
    print()
    print_filled(in_words_of_the_shell(str(table.attrs["advice"])))


def print_slopes(fit: Fit, prob: float) -> None:
    """Print how the groups' means change with the predictors."""
    from hierstan.answers.differences.coefficients import coefficients
    from hierstan.text.tables import Table, numbers, percent, places, printable

    found = coefficients(fit, prob=prob)
    header = ("for one unit of", "mean", "sd", "lower", "upper")
    rows = tuple(
        (printable(str(name), None), *numbers(line, places(line[1])))
        for name, *line in found[["mean", "sd", "lower", "upper"]].itertuples()
    )
    print("\nHow group means change with the predictors, by partial pooling, and")
    print(f"{percent(prob)} intervals.\n")
    print(Table(header, rows, longest=None).text())


def print_covariates(fit: Fit, prob: float) -> None:
    """Print how outcomes change with what is known of single rows."""
    from hierstan.families.adjusted import SLOPES
    from hierstan.fit.group_summaries import summarise
    from hierstan.text.tables import Table, numbers, percent, places, printable

    known = fit.data.covariates
    assert known is not None
    four = summarise(fit.draws(SLOPES) / known["sd"].to_numpy(), prob)
    names = [
        printable(str(name) if level is None else f"{name} vs {reference}", None)
        for name, level, reference in known[["level", "reference"]].itertuples()
    ]
    rows = tuple(
        (name, *numbers(line, places(line[1]))) for name, line in zip(names, four.T, strict=True)
    )
    print("\nHow outcomes change with the covariates of rows, on the scale of the model, and")
    print(f"{percent(prob)} intervals. Groups are compared where these are average.\n")
    header = ("for one unit of", "mean", "sd", "lower", "upper")
    print(Table(header, rows, longest=None).text())


def print_levels(fit: Fit, factor: str, prob: float) -> None:
    """Print what each level of a factor adds to the groups that have it."""
    from hierstan.answers.differences.components import effects
    from hierstan.text.tables import Table, numbers, places, plain_labels

    found = effects(fit, factor, prob=prob)
    shown = found[:MOST_GROUPS]
    header = (factor, "adds", "sd", "lower", "upper", "pooled")
    decimals = places(found["sd"])
    rows = tuple(
        (label, *numbers(line[:4], decimals), *numbers(line[4:], 2))
        for label, line in zip(plain_labels(shown.index), shown.to_numpy(), strict=True)
    )
    left = len(found) - len(shown)
    print()
    print_filled(f"{found.attrs['caption']}.")
    print()
    print(Table(header, rows, f"… and {left:,} more" if left else "", longest=None).text())


def print_components(fit: Fit, prob: float) -> None:
    """Print which factors matter."""
    from hierstan.answers.differences.components import components

    print()
    print_filled(components(fit, prob=prob).verdict)


def print_differences(
    fit: Fit, prob: float, caring: float | None, said: str, head: str = ""
) -> None:
    """Print how different the groups are, without the sentences that were `said` already."""
    from hierstan.answers.differences.heterogeneity import heterogeneity

    sentences = re.split(
        r"(?<=[.)]) (?=[A-Z(0-9t])", heterogeneity(fit, prob=prob, caring=caring).verdict
    )
    more = [sentence for sentence in sentences if sentence not in said]
    print()
    words = " ".join(more)
    if head:  # what one cares for is in units of both parts together
        words = f"{head}: {words}".replace(" caring= sets another limit.", "")
    print_filled(in_words_of_the_shell(words))


def in_words_of_the_shell(message: str) -> str:
    """Say the library's advice, which is about Python, in terms of this command's options."""
    for python, shell in IN_WORDS_OF_THE_SHELL:
        message = re.sub(python, shell, message)
    return message


def stage(words: str, *, shown: bool) -> None:
    """Say on standard error what is being done, on a line that the next one takes."""
    if shown:
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()


# internals ------------------------------------------------------------------------------------


def _pooled(name: str) -> str:
    """Return what the shell calls a column, pooling factors ``pooled`` for short."""
    return name.replace("pooling_factor", "pooled").replace("_", " ")


def _print_by_group(
    table: pd.DataFrame,
    data: GroupedData | TwoPartData,
    columns: Mapping[str, list[str]],
    words: tuple[str, ...] = (),
) -> None:
    """Print one line a group; only a terminal's labels are cut, and none to look like another."""
    from hierstan.text.tables import Table, cut_apart, plain_labels

    shown = min(len(table), MOST_GROUPS)
    texts = dict(zip(data.groups, plain_labels(data.groups), strict=True))
    labels = [texts[label] for label in table.index[:shown]]
    if sys.stdout.isatty():
        room = WIDTH - sum(2 + max(map(len, (name, *cells))) for name, cells in columns.items())
        labels = cut_apart(labels, max(room, LEAST_LABEL))
    rows = zip(labels, *(cells[:shown] for cells in columns.values()), strict=True)
    left = len(table) - shown
    more = f"… and {left:,} more: --output writes them all" if left else ""
    align = "<" + "".join("<" if name in words else "." for name in columns)
    print(Table((data.grouped_by, *columns), tuple(rows), more, align, None).text())

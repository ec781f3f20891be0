"""The options of every command, and their help."""

from __future__ import annotations

import argparse

from hierstan.shell import values
from hierstan.shell.parser import Parser, Version
from hierstan.shell.texts import EXAMPLES, EXIT_CODES

KINDS = {"estimate", "successes", "events", "events_treatment", "outcome", "mean", "rating"}
COLUMNS = {  # options that name one, the first of each kind of data in KINDS
    "by": "a factor, or one of several --group columns, to print level by level",
    "estimate": "one estimate per group, with --se",
    "se": "its standard error",
    "successes": "successes, with --trials",
    "trials": "number of trials",
    "events": "number of events, perhaps with --exposure",
    "exposure": "time, area or the like over which the events were counted",
    "events_treatment": "events in the treatment arm of a trial, with the three below",
    "total_treatment": "everyone in that arm",
    "events_control": "events in the control arm",
    "total_control": "everyone in that arm",
    "outcome": "one outcome per row, perhaps with --family",
    "mean": "the mean of many outcomes, with --sd and --n",
    "sd": "their standard deviation",
    "n": "how many they are",
    "arm": "which of two arms a row is of; --control names the one without treatment",
    "weights": "what each outcome weighs: its variance is sigma^2 / weight",
    "rating": "one rating per row, such as 1 to 5; labels with --order",
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="hierstan",
        description="Complete, no and partial pooling of grouped data with Stan.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    compare = _command(commands, "compare", "compare the three poolings on a table")
    _add_columns(compare)
    _add_reading(compare)
    _add_sampling(compare)
    _add_choice(compare)
    _add_written(compare)
    demo = _command(commands, "demo", "the same on the eight schools")
    _add_sampling(demo)
    _add_written(demo)
    templates = _command(commands, "templates", "copy the Stan templates, to edit them")
    templates.add_argument("directory", metavar="DIRECTORY", help="where to; made if need be")
    return parser


def flag(role: str) -> str:
    """Return the option for a role, such as ``--total-control``."""
    return f"--{role.replace('_', '-')}"


# internals ------------------------------------------------------------------------------------


def _command(
    commands: argparse._SubParsersAction[Parser], name: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=description,
        description=f"{description[0].upper()}{description[1:]}.",
        epilog=EXAMPLES * (name == "compare") + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=name, parser=parser)
    return parser


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        help="text with a header line (.csv), also gzipped, or parquet; - for standard input",
    )
    names = parser.add_argument_group("columns (give --group and one of the seven kinds of data)")
    kinds = names.add_mutually_exclusive_group(required=True)
    names.add_argument(
        "--group",
        metavar="COLUMN",
        action="append",
        required=True,
        help="labels of the groups; given several times: a group of every combination",
    )
    names.add_argument(
        "--factor",
        metavar="COLUMN",
        action="append",
        dest="factors",
        default=[],
        help="labels that describe the groups, such as a shop's region; may come several times",
    )
    for option, text in COLUMNS.items():
        where = kinds if option in KINDS else names
        where.add_argument(flag(option), metavar="COLUMN", help=text)
    _add_descriptions(names)
    parser.add_argument(
        "--two-part",
        action="store_true",
        help="outcomes are 0 or an amount: who buys, and how much; --family is then the amounts'",
    )
    parser.add_argument(
        "--family",
        metavar="FAMILY",
        help="how outcomes arise, such as normal (default), lognormal or bernoulli; of events and "
        "successes too. Any other word lists them all.",
    )


def _add_descriptions(names: argparse._ArgumentGroup) -> None:
    names.add_argument(
        "--adjust",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="numbers or labels that describe rows, by which their outcomes differ, such as age",
    )
    names.add_argument(
        "--order",
        metavar="LABELS",
        type=values.labels,
        help="categories of ratings from the lowest to the highest: poor,fair,good",
    )
    names.add_argument(
        "--predictors",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="numbers that describe the groups, such as a trial's latitude",
    )


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of the sampler (default: %(default)s)")
    parser.add_argument(
        "--engine",
        choices=("auto", "cmdstan", "stanli"),
        default="auto",
        help="what runs Stan (default: CmdStan where it is installed, else stanli)",
    )
    parser.add_argument(
        "--unit",
        choices=("observation", "arm", "group"),
        default="observation",
        help="what is left out to compare predictions (default: %(default)s)",
    )
    parser.add_argument(
        "--prob",
        type=values.probability,
        default=0.9,
        help="of the intervals (default: %(default)s)",
    )
    parser.add_argument(
        "--prior",
        metavar="NAME=PRIOR",
        type=values.prior,
        action="append",
        default=[],
        help="such as tau='HalfNormal(0.5)', for each pooling that has the parameter",
    )


def _add_reading(parser: argparse.ArgumentParser) -> None:
    text = parser.add_argument_group("how a text file is written")
    text.add_argument(
        "--sep",
        metavar="CHARACTER",
        type=values.separator,
        help="between values, such as ';' or tab (default: a comma)",
    )
    text.add_argument(
        "--decimal", metavar="CHARACTER", type=values.decimal, help=". (default) or a comma"
    )
    text.add_argument(
        "--encoding",
        metavar="NAME",
        type=values.encoding,
        help="such as latin-1, cp1252 or utf-16 (default: utf-8)",
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_argument_group("to choose a group (any of these adds a table to decide by)")
    choice.add_argument(
        "--control",
        metavar="LABEL",
        help="the group in use now, to compare the others with; with --arm, the arm that is",
    )
    choice.add_argument(
        "--caring",
        metavar="NUMBER",
        type=values.difference,
        help="the smallest difference that matters, in the outcome's units (a rate: 0.01)",
    )
    choice.add_argument(
        "--smaller-is-better", action="store_true", help="as of costs, deaths or complaints"
    )


def _add_written(parser: argparse.ArgumentParser) -> None:
    written = parser.add_argument_group("what is written")
    for option, metavar, kind, text in (
        ("--output", "TABLE", values.table, "the groups' means: .csv, .json or .parquet"),
        ("--report", "HTML", values.page, "a page with everything, to pass on"),
        ("--plot", "PICTURE", values.picture, "the shrinkage: .png, .svg or .pdf"),
    ):
        written.add_argument(option, metavar=metavar, type=kind, help=text)
    written.add_argument("--title", metavar="TEXT", help="what page, picture and output are called")
    written.add_argument("--quiet", action="store_true", help="print nothing")

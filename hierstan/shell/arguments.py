"""What may stand on the command line, and what is said when something else does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

PICTURES = (".pdf", ".png", ".svg")
PAGES = (".htm", ".html")
KINDS = {  # what is observed in each group: the options that must, and that may, go with it
    "estimate": (("se",), ()),
    "successes": (("trials",), ("family",)),
    "events": ((), ("exposure", "family")),
    "events_treatment": (("total_treatment", "events_control", "total_control"), ()),
    "outcome": ((), ("family",)),
}
CONSTRUCTORS = {  # of `GroupedData`, after from_
    "estimate": "estimates",
    "successes": "counts",
    "events": "events",
    "events_treatment": "arms",
    "outcome": "rows",
}
EXAMPLES = """\
examples:
  hierstan compare schools.csv --group school --estimate effect --se se
  hierstan compare players.csv --group player --successes hits --trials at_bats
  hierstan compare pumps.csv --group pump --events failures --exposure hours
  hierstan compare trials.csv --group trial --events-treatment ill --total-treatment given \
      --events-control ill_without --total-control without
  hierstan compare schools.csv --group school --estimate effect --se se --predictors pupils
  hierstan compare orders.csv --group shop --outcome amount --family lognormal

"""
EXIT_CODES = """\
exit codes:
  0    done
  1    the file, the data, a template or the engine was refused; the message says why
  2    the command line was not understood
  130  interrupted with Ctrl-C
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of the process's own.

    Returns
    -------
    argparse.Namespace
        ``command`` and its options; for ``compare`` also ``kind`` (a key of `KINDS`) and
        ``columns`` (role to the column's name, ``group`` first).

    Raises
    ------
    SystemExit
        With code 2 and a message on standard error, or with code 0 after ``--help``.

    Examples
    --------
    >>> parse("compare a.csv --group pump --events failures --exposure hours".split()).columns
    {'group': 'pump', 'events': 'failures', 'exposure': 'hours'}
    """
    options = _parser().parse_args(arguments)
    if options.command == "compare":
        options.kind = next(kind for kind in KINDS if getattr(options, kind) is not None)
        options.columns = _columns(options)
        _check_family(options)
    return options


def flag(role: str) -> str:
    """Return the option for a role, such as ``--total-control``."""
    return f"--{role.replace('_', '-')}"


# internals ------------------------------------------------------------------------------------


def _columns(options: argparse.Namespace) -> dict[str, str]:
    """Return the columns in use, refusing those that do not go with the kind of data."""
    required, optional = KINDS[options.kind]
    for role in required:
        if getattr(options, role) is None:
            options.parser.error(f"{flag(options.kind)} needs {flag(role)} beside it")
    companions = {role for roles in KINDS.values() for role in roles[0] + roles[1]}
    for role in sorted(companions - {*required, *optional}):
        if getattr(options, role) is not None:
            options.parser.error(f"{flag(role)} does not go with {flag(options.kind)}")
    roles = ("group", options.kind, *required, *(role for role in optional if role != "family"))
    return {role: getattr(options, role) for role in roles if getattr(options, role) is not None}


def _check_family(options: argparse.Namespace) -> None:
    if options.family is None:
        return
    from hierstan.families import accepted_by  # takes longer than everything else here

    names = accepted_by(CONSTRUCTORS[options.kind])
    if options.family not in names:
        options.parser.error(
            f"--family {options.family} does not go with {flag(options.kind)}, "
            f"which takes {', '.join(names)}"
        )


class _Parser(argparse.ArgumentParser):
    """A parser that complains as the rest of the program does."""

    def error(self, message: str) -> NoReturn:
        command = self.prog
        self.exit(2, f"hierstan: {message}. See '{command} --help'.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="hierstan",
        description="Complete, no and partial pooling of grouped data with Stan.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    compare = _command(commands, "compare", "compare the three poolings on a CSV file")
    _add_columns(compare)
    _add_sampling(compare)
    compare.add_argument(
        "--plot", metavar="PNG", type=_picture, help="write a picture of the shrinkage"
    )
    compare.add_argument(
        "--report", metavar="HTML", type=_page, help="write a page with everything, to pass on"
    )
    demo = _command(commands, "demo", "the same on the eight schools")
    _add_sampling(demo)
    demo.add_argument(
        "--plot",
        metavar="PNG",
        type=_picture,
        default="hierstan-demo.png",
        help="where to write the picture of the shrinkage (default: %(default)s)",
    )
    demo.add_argument("--report", metavar="HTML", type=_page, help="write a page with everything")
    templates = _command(commands, "templates", "copy the Stan templates, to edit them")
    templates.add_argument("directory", metavar="DIRECTORY", help="where to; made if need be")
    return parser


def _command(commands: Any, name: str, description: str) -> argparse.ArgumentParser:
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
        "file", metavar="FILE.csv", help="comma-separated, with a header line; - for standard input"
    )
    names = parser.add_argument_group("columns (give --group and one of the five kinds of data)")
    kinds = names.add_mutually_exclusive_group(required=True)
    for option, where, text in (
        ("group", names, "labels of the groups"),
        ("estimate", kinds, "one estimate per group, with --se"),
        ("se", names, "its standard error"),
        ("successes", kinds, "successes, with --trials"),
        ("trials", names, "number of trials"),
        ("events", kinds, "number of events, perhaps with --exposure"),
        ("exposure", names, "time, area or the like over which the events were counted"),
        ("events_treatment", kinds, "events in the treatment arm of a trial, with the three below"),
        ("total_treatment", names, "everyone in that arm"),
        ("events_control", names, "events in the control arm"),
        ("total_control", names, "everyone in that arm"),
        ("outcome", kinds, "one outcome per row, perhaps with --family"),
    ):
        where.add_argument(flag(option), metavar="COLUMN", help=text, required=option == "group")
    names.add_argument(
        "--predictors",
        metavar="COLUMN",
        nargs="+",
        default=[],
        help="numbers that describe the groups, such as a trial's latitude",
    )
    parser.add_argument(
        "--family",
        metavar="FAMILY",
        help="how outcomes arise, such as normal (default), lognormal or bernoulli; of events and "
        "successes too. Any other word lists them all.",
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
        choices=("observation", "group"),
        default="observation",
        help="what is left out to compare predictions (default: %(default)s)",
    )
    parser.add_argument(
        "--prob", type=_probability, default=0.9, help="of the intervals (default: %(default)s)"
    )


class _Version(argparse.Action):
    """Print the version; looking it up takes longer than everything else that --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"hierstan {version('hierstan')}\n")
        parser.exit()


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return value


def _picture(text: str) -> str:
    return _file(text, PICTURES)


def _page(text: str) -> str:
    return _file(text, PAGES)


def _file(text: str, endings: tuple[str, ...]) -> str:
    path = Path(text)
    if path.suffix.lower() not in endings:
        raise argparse.ArgumentTypeError(f"{text!r} must end in {', '.join(endings)}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
    return text

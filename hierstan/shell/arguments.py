"""What may stand on the command line, and what is said when something else does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hierstan.shell.options import flag, make_parser

KINDS = {  # what is observed in each group: the options that must, and that may, go with it
    "estimate": (("se",), ()),
    "successes": (("trials",), ("family",)),
    "events": ((), ("exposure", "family")),
    "events_treatment": (("total_treatment", "events_control", "total_control"), ()),
    "outcome": ((), ("weights", "family")),
    "mean": (("sd", "n"), ()),
    "rating": ((), ("order",)),
}
NO_COLUMNS = ("family", "order")
ADJUSTED = ("successes", "events", "outcome", "rating")  # kinds whose rows may have covariates
IN_ARMS = (
    "successes",
    "events",
    "outcome",
    "mean",
    "rating",
)  # kinds that --arm goes with
CONSTRUCTORS = {  # of `GroupedData`, after from_
    "estimate": "estimates",
    "successes": "counts",
    "events": "events",
    "events_treatment": "arms",
    "outcome": "rows",
    "mean": "means",
    "rating": "ratings",
}


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
        ``columns`` (role to the column's name, ``group`` first; a list where there are several).

    Raises
    ------
    SystemExit
        With code 2 and a message on standard error, or with code 0 after help, which is also
        printed where nothing is asked for.

    Examples
    --------
    >>> parse("compare a.csv --group pump --events failures --exposure hours".split()).columns
    {'group': 'pump', 'events': 'failures', 'exposure': 'hours'}
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = make_parser()
    if not given:
        parser.print_help()
        parser.exit()
    options = parser.parse_args(given)
    if options.command == "compare":
        options.kind = next(kind for kind in KINDS if getattr(options, kind) is not None)
        options.columns = _columns(options)
        _check_two_part(options)
        _check_family(options)
        _check_by(options)
        _check_arm(options)
        _check_adjust(options)
    if options.command != "templates":
        _check_written(options)
    return options


# internals ------------------------------------------------------------------------------------


def _columns(options: argparse.Namespace) -> dict[str, object]:
    """Return the columns in use, refusing those that do not go with the kind of data."""
    required, optional = KINDS[options.kind]
    for role in required:
        if getattr(options, role) is None:
            options.parser.error(f"{flag(options.kind)} needs {flag(role)} beside it")
    companions = {role for roles in KINDS.values() for role in roles[0] + roles[1]}
    for role in sorted(companions - {*required, *optional}):
        if getattr(options, role) is not None:
            options.parser.error(f"{flag(role)} does not go with {flag(options.kind)}")
    roles = (options.kind, *required, *(role for role in optional if role not in NO_COLUMNS))
    found = {role: getattr(options, role) for role in roles if getattr(options, role) is not None}
    group = options.group if len(options.group) > 1 else options.group[0]
    arm = {} if options.arm is None else {"arm": options.arm}
    return {"group": group, **arm, **found}


def _check_family(options: argparse.Namespace) -> None:
    if options.family is None:
        return
    from hierstan.families import FAMILIES, accepted_by  # takes longer than everything else here

    names = accepted_by(CONSTRUCTORS[options.kind])
    if options.two_part:
        names = [name for name in names if FAMILIES[name].columns["y"] == "real"]
    if options.family not in names:
        options.parser.error(
            f"--family {options.family} does not go with "
            f"{'--two-part' if options.two_part else flag(options.kind)}, "
            f"which takes {', '.join(names)}"
        )


def _check_arm(options: argparse.Namespace) -> None:
    if options.arm is None:
        return
    if options.kind not in IN_ARMS:
        kinds = ", ".join(map(flag, IN_ARMS))
        options.parser.error(f"--arm goes with {kinds}, not with {flag(options.kind)}")
    if options.two_part:
        options.parser.error("--two-part does not go with --arm")
    if options.control is None:
        options.parser.error("--arm needs --control beside it, the arm without the treatment")
    if options.smaller_is_better:
        options.parser.error("--smaller-is-better does not go with --arm")


def _check_adjust(options: argparse.Namespace) -> None:
    if options.adjust and options.kind not in ADJUSTED:
        kinds = ", ".join(map(flag, ADJUSTED))
        options.parser.error(f"--adjust goes with {kinds}, not with {flag(options.kind)}")


def _check_two_part(options: argparse.Namespace) -> None:
    if not options.two_part:
        return
    if options.kind != "outcome":
        options.parser.error(f"--two-part goes with --outcome, not with {flag(options.kind)}")
    unheeded = {
        "--weights": options.weights,
        "--predictors": options.predictors,
        "--adjust": options.adjust,
        "--factor": options.factors,
        "--prior": options.prior,
        "--group more than once": options.group[1:],
    }
    for name, given in unheeded.items():
        if given:
            options.parser.error(f"{name} does not go with --two-part; hs.TwoPart has more to it")


def _check_by(options: argparse.Namespace) -> None:
    known = [*options.factors, *(options.group if len(options.group) > 1 else [])]
    if options.by is not None and options.by not in known:
        there = ", ".join(known) or "none: give --factor, or --group several times"
        options.parser.error(f"--by {options.by} is none of the factors; there are {there}")


def _check_written(options: argparse.Namespace) -> None:
    if (
        options.command == "compare"
        and options.quiet
        and not (options.output or options.plot or options.report)
    ):
        options.parser.error("--quiet leaves nothing: add --output, --report or --plot")
    names = [name for name, _ in options.prior]
    for name in names:
        if names.count(name) > 1:
            options.parser.error(f"--prior gives {name} twice")

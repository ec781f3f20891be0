"""A parser of command lines that complains as the rest of the program does."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Name what is wrong in one line, an option that does not exist before one that is missing."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse what is known, after a look at the names of the options."""
        for text in args:
            if text == "--" or (self._subparsers and not text.startswith("-")):
                break  # what follows is not for this parser
            self._check_known(text)
        return super().parse_known_args(args, namespace)

    def _check_known(self, text: str) -> None:
        option, known = text.partition("=")[0], self._option_string_actions
        number = self._negative_number_matcher.match(text)
        if text[:1] != "-" or text == "-" or number or " " in option or option in known:
            return
        from hierstan.text.wording import did_you_mean

        near = did_you_mean(option, [name for name in known if name.startswith("--")])
        self.error(f"there is no option {option}.{near}".removesuffix(".").removesuffix("?"))

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and stop with code 2."""
        command = self.prog
        end = "?" if "Did you mean" in message else "."
        self.exit(2, f"hierstan: {message}{end} See '{command} --help'.\n")


class Version(argparse.Action):
    """Print the version; looking it up takes longer than everything else that --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it and stop."""
        from importlib.metadata import version

        sys.stdout.write(f"hierstan {version('hierstan')}\n")
        parser.exit()

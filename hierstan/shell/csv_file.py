"""Read the columns of a CSV file that a command names, or say why that cannot be done."""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hierstan.errors import DataError
from hierstan.text.wording import did_you_mean, listed, show

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1 << 16  # bytes in which the header has to end
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SURPLUS = (
    "rows have more values than the header has names. Put values that hold commas in double quotes"
)
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A"]


def read_columns(path: str, wanted: Mapping[str, str]) -> pd.DataFrame:
    """Read some columns of a comma-separated file with a header line.

    Parameters
    ----------
    path : str
        The file, in UTF-8 with or without a byte order mark; ``"-"`` is standard input.
    wanted : mapping of str to str
        The option that named a column, such as ``"--group"``, and the column's name.

    Returns
    -------
    pandas.DataFrame
        The wanted columns. Labels of ``"--group"`` are text, as they stand in the file, so that
        ``007`` keeps its zeros and ``NA`` can be Namibia. The index counts rows as a spreadsheet
        does: the header is row 1. Blank lines do not count.

    Raises
    ------
    DataError
        If the file cannot be opened, is empty, is not comma-separated text, or lacks a column.
    """
    import pandas as pd

    name = "standard input" if path == "-" else path
    with _opened(path) as file:
        head = file.read(HEAD)
        _check_text(head, name)
        try:
            text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
            header = _header(text, name)
            _check_header(header, wanted, name, text.splitlines()[0])
            file.seek(0)
            frame = _read(file, header, labels=wanted.get("--group"))
        except UnicodeDecodeError:
            raise _undecodable(file, name) from None
        except pd.errors.ParserError as error:
            raise DataError(_unparsable(str(error), name)) from None
    frame = frame[list(dict.fromkeys(wanted.values()))]
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    for option, column in wanted.items():
        if option != "--group":
            _check_numbers(frame[column], column, option)
    return frame


# internals ------------------------------------------------------------------------------------


def _opened(path: str) -> BinaryIO:
    if path == "-":
        return io.BytesIO(sys.stdin.buffer.read())
    file = Path(path)
    try:
        return file.open("rb")
    except FileNotFoundError:
        folder = file.parent
        there = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
        raise DataError(f"There is no file {path}.{did_you_mean(file.name, there)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _check_text(head: bytes, name: str) -> None:
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{name} is empty. Its first line must hold the names of the columns.")
    if head.startswith(b"PK\x03\x04"):
        raise DataError(f"{name} is a workbook or an archive, not text. Save the sheet as CSV.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} is encoded in UTF-16. Save it as CSV in UTF-8.")
    if b"\0" in head:
        raise DataError(f"{name} is not text. hierstan reads comma-separated text (CSV) in UTF-8.")


def _header(text: str, name: str) -> list[str]:
    """Return the names of the columns; those without a name get one."""
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"The first line of {name} cannot be read: {error}.") from None
    return [column.strip() or f"column {number}" for number, column in enumerate(names, 1)]


def _read(file: BinaryIO, header: list[str], labels: str | None) -> pd.DataFrame:
    """Read every column, since pandas cuts off surplus values in silence where it reads some."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                file,
                names=header,
                header=0,
                index_col=False,
                encoding="utf-8-sig",
                skipinitialspace=True,
                low_memory=False,
                dtype={labels: str} if labels in header else None,
                keep_default_na=False,
                na_values={column: [""] if column == labels else MISSING for column in header},
            )
        except pd.errors.ParserWarning:
            raise pd.errors.ParserError(SURPLUS) from None


def _check_header(header: list[str], wanted: Mapping[str, str], name: str, first_line: str) -> None:
    doubled = [column for column, times in Counter(header).items() if times > 1]
    if doubled:
        raise DataError(
            f"{name} has several columns of the same name: {listed(doubled)}. "
            "Rename them in its first line, so that each name means one column."
        )
    for option, column in wanted.items():
        if column in header:
            continue
        for separator, plural in SEPARATORS.items():
            parts = [part.strip().strip('"') for part in first_line.split(separator)]
            if len(header) == 1 < len(parts) or column in parts:
                raise DataError(
                    f"{name} is separated by {plural}, not by commas. Convert it, in Python: "
                    f"pandas.read_csv({name!r}, sep={separator!r}"
                    + (", decimal=','" if separator == ";" else "")
                    + ").to_csv('with_commas.csv', index=False)"
                    + (" (leave decimal out where decimals have points)" * (separator == ";"))
                    + "."
                )
        raise DataError(
            f"{name} has no column {show(column)}, given as {option.split()[0]}."
            f"{did_you_mean(column, header)} It has {listed(header, 20)}."
        )


def _check_numbers(values: pd.Series, column: str, option: str) -> None:
    """Refuse text in a column of numbers, which is what one odd value makes of all of them."""
    import pandas as pd

    if values.empty or pd.api.types.is_numeric_dtype(values) or values.isna().all():
        return
    odd = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
    if odd.empty:
        return
    first = ", ".join(f"row {row}: {show(value)}" for row, value in odd.iloc[:3].items())
    more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
    comma = odd.astype(str).str.fullmatch(r"\s*-?\d+,\d+\s*").all()
    hint = " Write decimals with a point." if comma else ""
    raise DataError(f"Column {show(column)} ({option}) must hold numbers; {first}{more}.{hint}")


def _undecodable(file: BinaryIO, name: str) -> DataError:
    file.seek(0)
    for number, line in enumerate(file, 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            return DataError(
                f"{name} is not encoded in UTF-8: line {number} holds the byte "
                f"0x{line[error.start]:02x}. Save it again as CSV in UTF-8."
            )
    return DataError(f"{name} is not encoded in UTF-8. Save it again as CSV in UTF-8.")


def _unparsable(message: str, name: str) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if found:
        expected, line, saw = found.groups()
        return (
            f"Line {line} of {name} has {saw} values, but the header names {expected} columns. "
            "Put values that hold commas in double quotes."
        )
    open_quote = re.search(r"EOF inside string starting at row (\d+)", message)
    if open_quote:
        return f"Line {int(open_quote[1]) + 1} of {name} opens a double quote that is never closed."
    detail = message.removeprefix("Error tokenizing data. C error: ")
    return f"{name} is not well-formed CSV: {detail}."

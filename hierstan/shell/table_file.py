"""Read the columns of a file that a command names, or say why that cannot be done."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from hierstan.errors import DataError
from hierstan.text.wording import did_you_mean, listed, show

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1 << 16  # bytes in which the header has to end
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": "commas"}
SURPLUS = (
    "rows have more values than the header has names. Put values that hold the separator in double "
    "quotes"
)
AS_THEY_ARE = ("--rating", "--adjust")  # options of columns that may hold labels or numbers
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A"]


@dataclass(frozen=True)
class Dialect:
    """How a text file is written, where that was said.

    Attributes
    ----------
    sep, decimal, encoding : str or None
        Commas, points and UTF-8, with or without a byte order mark, where they are None.
    """

    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None


def read_columns(
    path: str, wanted: Mapping[str, str], *, labels: Sequence[str], dialect: Dialect
) -> pd.DataFrame:
    """Read some columns of a table: text with a header line, maybe gzipped, or parquet.

    Parameters
    ----------
    path : str
        The file; ``"-"`` is standard input.
    wanted : mapping of str to str
        The option that named a column, such as ``"--se"``, and the column's name.
    labels : sequence of str
        The columns that hold labels. In text files these are text, as they stand in the file, so
        that ``007`` keeps its zeros and ``NA`` can be Namibia.
    dialect : Dialect

    Returns
    -------
    pandas.DataFrame
        The wanted columns. The index counts rows as a spreadsheet does: the header is row 1. Blank
        lines do not count.

    Raises
    ------
    DataError
        If the file cannot be opened, is empty, is no such table, or lacks a column.
    """
    import pandas as pd

    name = "standard input" if path == "-" else path
    with _opened(path) as raw:
        parquet = _starts(raw, b"PAR1")
        frame = (
            _parquet(raw, name, dialect) if parquet else _text(raw, name, wanted, labels, dialect)
        )
    if parquet:
        _check_header([str(column) for column in frame], wanted, name)
    frame = frame[list(dict.fromkeys(wanted.values()))]
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    for option, column in wanted.items():
        if column not in labels and option.split()[0] not in AS_THEY_ARE:
            _check_numbers(frame[column], column, option, dialect)
    return frame


# internals ------------------------------------------------------------------------------------


def _opened(path: str) -> IO[bytes]:
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


def _starts(file: IO[bytes], mark: bytes) -> bool:
    found = file.read(len(mark)) == mark
    file.seek(0)
    return found


def _parquet(file: IO[bytes], name: str, dialect: Dialect) -> pd.DataFrame:
    import pandas as pd

    if dialect != Dialect():
        raise DataError(
            f"{name} is parquet, which has no separators, decimal characters or encoding. Leave "
            "--sep, --decimal and --encoding out."
        )
    try:
        return pd.read_parquet(io.BytesIO(file.read()))
    except ImportError:
        raise DataError(f"To read {name}, pyarrow is needed: pip install pyarrow.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{name} is no readable parquet: {error}.") from None


def _text(
    raw: IO[bytes],
    name: str,
    wanted: Mapping[str, str],
    labels: Sequence[str],
    dialect: Dialect,
) -> pd.DataFrame:
    import pandas as pd

    file = cast(IO[bytes], gzip.open(raw)) if _starts(raw, b"\x1f\x8b") else raw  # noqa: SIM115
    encoding = dialect.encoding or "utf-8-sig"
    try:
        head = file.read(HEAD)
        _check_text(head, name, dialect)
        text = codecs.getincrementaldecoder(encoding)().decode(head)
        header = _header(text, name, dialect)
        _check_header(header, wanted, name, text.splitlines()[0], dialect)
        file.seek(0)
        return _read(file, header, labels, dialect)
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{name} is no complete gzip file: {error}.") from None
    except UnicodeError:
        raise _undecodable(file, name, dialect.encoding) from None
    except pd.errors.ParserError as error:
        raise DataError(_unparsable(str(error), name)) from None


def _check_text(head: bytes, name: str, dialect: Dialect) -> None:
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{name} is empty. Its first line must hold the names of the columns.")
    if head.startswith(b"PK\x03\x04"):
        raise DataError(f"{name} is a workbook or an archive, not text. Save the sheet as CSV.")
    if dialect.encoding:
        return
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} is encoded in UTF-16. Give --encoding utf-16.")
    if b"\0" in head:
        raise DataError(f"{name} is not text. hierstan reads comma-separated text (CSV) in UTF-8.")


def _header(text: str, name: str, dialect: Dialect) -> list[str]:
    """Return the names of the columns; those without a name get one."""
    try:
        lines = io.StringIO(text, newline="")
        names = next(csv.reader(lines, delimiter=dialect.sep or ",", skipinitialspace=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"The first line of {name} cannot be read: {error}.") from None
    return [column.strip() or f"column {number}" for number, column in enumerate(names, 1)]


def _read(
    file: IO[bytes], header: list[str], labels: Sequence[str], dialect: Dialect
) -> pd.DataFrame:
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
                sep=dialect.sep or ",",
                decimal=dialect.decimal or ".",
                encoding=dialect.encoding or "utf-8-sig",
                skipinitialspace=dialect.sep != " ",
                low_memory=False,
                dtype=dict.fromkeys(labels, str),
                keep_default_na=False,
                na_values={column: [""] if column in labels else MISSING for column in header},
            )
        except pd.errors.ParserWarning:
            raise pd.errors.ParserError(SURPLUS) from None


def _check_header(
    header: list[str],
    wanted: Mapping[str, str],
    name: str,
    first_line: str = "",
    dialect: Dialect = Dialect(),
) -> None:
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
                word = {"\t": "tab", ",": ","}.get(separator, f"'{separator}'")
                comma = " and, if decimals have commas, --decimal ," * (separator == ";")
                raise DataError(
                    f"{name} is separated by {plural}, not by "
                    f"{SEPARATORS.get(dialect.sep or ',', show(dialect.sep))}. "
                    f"Give --sep {word}{comma}."
                )
        raise DataError(
            f"{name} has no column {show(column)}, given as {option.split()[0]}."
            f"{did_you_mean(column, header)} It has {listed(header, 20)}."
        )


def _check_numbers(values: pd.Series, column: str, option: str, dialect: Dialect) -> None:
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
    hint = " Decimals with commas need --decimal ,." if comma and not dialect.decimal else ""
    raise DataError(
        f"Column {show(column)} ({option.split()[0]}) must hold numbers; {first}{more}.{hint}"
    )


def _undecodable(file: IO[bytes], name: str, encoding: str | None) -> DataError:
    if encoding:
        return DataError(f"{name} is not encoded in {encoding}. Give another --encoding.")
    cure = "Say how it is encoded: --encoding latin-1, say, or --encoding cp1252."
    file.seek(0)
    for number, line in enumerate(file, 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            return DataError(
                f"{name} is not encoded in UTF-8: line {number} holds the byte "
                f"0x{line[error.start]:02x}. {cure}"
            )
    return DataError(f"{name} is not encoded in UTF-8. {cure}")


def _unparsable(message: str, name: str) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if found:
        expected, line, saw = found.groups()
        return (
            f"Line {line} of {name} has {saw} values, but the header names {expected} columns. "
            "Put values that hold the separator in double quotes."
        )
    open_quote = re.search(r"EOF inside string starting at row (\d+)", message)
    if open_quote:
        return f"Line {int(open_quote[1]) + 1} of {name} opens a double quote that is never closed."
    detail = message.removeprefix("Error tokenizing data. C error: ")
    return f"{name} is not well-formed CSV: {detail}."

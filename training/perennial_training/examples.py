"""From text files to examples: plain text (blocks between blank lines) and JSONL (one column)."""

import json
from collections.abc import Iterator
from pathlib import Path

from perennial_artifact.exits import BAD_DATA, Failure

JSONL_SUFFIXES = (".jsonl", ".ndjson")


def read(path: Path, source: str, column: str) -> Iterator[str]:
    """The examples in one file, as they stand there; `source` is what the user calls it.

    Raises exits.Failure with file and line for what can't be read.
    """
    if path.suffix.lower() in JSONL_SUFFIXES:
        return _column(path, source, column)
    return _blocks(_text(path, source))


def _blocks(text: str) -> Iterator[str]:
    block: list[str] = []
    for line in text.splitlines():
        if line.strip():
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)


def _column(path: Path, source: str, column: str) -> Iterator[str]:
    for number, line in enumerate(_text(path, source).split("\n"), start=1):
        if not line.strip():
            continue
        record = _record(line, source, number)
        if column not in record:
            columns = ", ".join(sorted(record)) or "none"
            raise Failure(
                "MissingColumn",
                f"{source}, line {number}: no column {column!r}; there are: {columns}. Set data.fields.text",
                BAD_DATA,
            )
        if not isinstance(record[column], str):
            found = json.dumps(record[column])[:40]
            raise Failure("BrokenRecord", f"{source}, line {number}: {column} is not text but {found}", BAD_DATA)
        yield _encodable(record[column], source, number)


def _record(line: str, source: str, number: int) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Failure("BrokenRecord", f"{source}, line {number} is not JSON: {error}", BAD_DATA) from None
    if not isinstance(record, dict):
        raise Failure("BrokenRecord", f"{source}, line {number} is not a JSON object: {line[:40]}", BAD_DATA)
    return record


def _encodable(text: str, source: str, number: int) -> str:
    """JSON can spell half of a surrogate pair, which is no character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Failure("BrokenRecord", f"{source}, line {number}: {error.reason}", BAD_DATA) from None
    return text


def _text(path: Path, source: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(
            "UnreadableEncoding",
            f"{source} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; "
            "convert it, for example with iconv -f LATIN1 -t UTF-8",
            BAD_DATA,
        ) from None

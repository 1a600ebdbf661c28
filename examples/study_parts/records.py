"""CSV files with one record per line, which an interruption cannot damage."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

from filelock import FileLock, Timeout

from examples.command_line import CommandError

R = TypeVar("R", bound=NamedTuple)


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Return the records in a file, or none if the file does not exist.

    Args:
        path: The file.
        kind: Type of the records, a NamedTuple of strings and numbers.

    Raises:
        CommandError: If the file has other columns.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    columns = get_type_hints(kind)
    if rows[:1] != [list(columns)]:
        raise CommandError(f"{path} must have the columns {list(columns)}, found {rows[:1]}. Choose another folder.")
    makers: list[Any] = list(columns.values())
    return [kind(*(make(text) for make, text in zip(makers, row, strict=True))) for row in rows[1:]]


def append_record(path: Path, record: NamedTuple) -> None:
    """Add a record to a file. A new file replaces the old one in one step.

    Only one process at a time may write to a file.
    """
    records = [*read_records(path, type(record)), record]
    new = path.with_suffix(".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(record._fields)
        writer.writerows(records)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other commands out of a folder. The lock ends with the process, however it ends.

    Raises:
        CommandError: If another command is using the folder.
    """
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CommandError(
            f"Another command is using {folder}. Wait for it to end, or choose another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()

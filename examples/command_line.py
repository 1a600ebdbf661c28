"""What all command lines have in common: one line for an error, exit codes, Ctrl-C, and types of options.

Only the standard library is imported here. A program parses its options first and imports PyTorch afterwards: `--help`
and wrong options are answered at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

FAILED, USAGE, INTERRUPTED = 1, 2, 128 + signal.SIGINT  # exit codes; the last one as shells have it


class CommandError(ValueError):
    """An error that its message explains in full to the user of a command line."""


class OneLineErrors:
    """A parser, of argparse or jsonargparse, that answers a wrong option in one line: to be inherited before it."""

    prog: str

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Write the error and exit, without the list of all options."""
        exit_for_usage(self.prog.replace(" [options]", ""), message)  # which jsonargparse adds


class Parser(OneLineErrors, argparse.ArgumentParser):
    """A parser of argparse that answers a wrong option in one line."""


def exit_for_usage(prog: str, message: str) -> NoReturn:
    """Write what is wrong with the options, and exit."""
    _exit(USAGE, f"{prog}: error: {message.rstrip().rstrip('.')}. See --help.")


@contextmanager
def one_line_errors(extras: str, on_interrupt: str) -> Iterator[None]:
    """Turn what a user can mend into one line on stderr and an exit code; other errors keep their traceback.

    These are files that are missing or cannot be written, packages that are missing, `CommandError` and Ctrl-C.

    Args:
        extras: The extras that install what the program needs.
        on_interrupt: What Ctrl-C leaves behind, and how to go on.
    """
    with _noted_interrupts() as interrupts:
        try:
            yield
        except BaseException as error:
            # Lightning exits after Ctrl-C, and some packages fail in other ways while they are imported.
            if interrupts or isinstance(error, KeyboardInterrupt):
                _exit(INTERRUPTED, on_interrupt)
            line = _describe(error, extras)
            if line is None:
                raise
            _exit(FAILED, f"error: {line}")


@contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """Yield a list that is filled as Ctrl-C comes."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> NoReturn:
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _describe(error: BaseException, extras: str) -> str | None:
    """Return what a user can mend; None for the faults of a program."""
    if isinstance(error, ImportError):
        return _describe_import_error(error, extras)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, (OSError, CommandError)) else None


def _describe_import_error(error: ImportError, extras: str) -> str | None:
    """Return a line that names the command to install what is missing; None for a package that is broken."""
    if isinstance(error.__cause__, ImportError):  # the message of this package says what to install
        return str(error)
    if not isinstance(error, ModuleNotFoundError):
        return None
    return f"{error}. Install it, from the root of the clone: {install_command(extras)}"


def install_command(extras: str) -> str:
    """Return the command that installs extras, from the root of a clone."""
    return f'python -m pip install -e ".[{extras}]"'


def write_line(text: str) -> None:
    """Write one line on stderr."""
    sys.stderr.write(f"{' '.join(text.split())}\n")
    sys.stderr.flush()


def _exit(code: int, line: str) -> NoReturn:
    write_line(line)
    raise SystemExit(code) from None


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C, which reaches all of them: their parent decides.

    They inherit it, so that it holds from their first moment on.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return a type for argparse: whole numbers between two bounds, both included."""
    bounds = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"

    def convert(text: str) -> int:
        value = int(text) if text.isdecimal() else None
        if value is None or value < lowest or (highest is not None and value > highest):
            raise argparse.ArgumentTypeError(f"must be a whole number {bounds}, found {text!r}")
        return value

    return convert

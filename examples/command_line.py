"""The parts that all command lines share: one-line errors, exit codes, Ctrl-C, and types for options.

This module imports only the standard library. Programs parse their options before they import PyTorch, so they respond
to `--help` and to wrong options at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

FAILED, USAGE, INTERRUPTED = 1, 2, 128 + signal.SIGINT  # exit codes, the last one as in shells


class CommandError(ValueError):
    """An error whose message tells the user of a command line all they need to know."""


class OneLineErrors:
    """A mixin that reports a wrong option in one line. Inherit from it before argparse's or jsonargparse's parser."""

    prog: str

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Write the error and exit, without the list of all options."""
        exit_for_usage(self.prog.replace(" [options]", ""), message)  # jsonargparse adds this suffix


class Parser(OneLineErrors, argparse.ArgumentParser):
    """An argparse parser that reports a wrong option in one line."""


def exit_for_usage(prog: str, message: str) -> NoReturn:
    """Write an error about the options and exit."""
    _exit(USAGE, f"{prog}: error: {message.rstrip().rstrip('.')}. See --help.")


@contextmanager
def one_line_errors(extras: str, on_interrupt: str) -> Iterator[None]:
    """Turn errors that the user can fix into one line on stderr and an exit code.

    They are missing files, files that cannot be written, missing packages, `CommandError` and Ctrl-C. All other errors
    keep their traceback.

    Args:
        extras: The extras that install the packages that the program needs.
        on_interrupt: The line for Ctrl-C, which says what is saved and how to continue.
    """
    with _noted_interrupts() as interrupts:
        try:
            yield
        except BaseException as error:
            # Lightning exits after Ctrl-C. Some packages raise other errors if Ctrl-C comes during their import.
            if interrupts or isinstance(error, KeyboardInterrupt):
                _exit(INTERRUPTED, on_interrupt)
            line = _describe(error, extras)
            if line is None:
                raise
            _exit(FAILED, f"error: {line}")


@contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """Yield a list that gets an entry for every Ctrl-C."""
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
    """Return the line for an error that the user can fix, or None for a bug in the program."""
    if isinstance(error, ImportError):
        return _describe_import_error(error, extras)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, (OSError, CommandError)) else None


def _describe_import_error(error: ImportError, extras: str) -> str | None:
    """Return a line with the command that installs a missing package, or None if a package is broken."""
    if isinstance(error.__cause__, ImportError):  # this package's own message, which says what to install
        return str(error)
    if not isinstance(error, ModuleNotFoundError):
        return None
    return f"{error}. Install it from the root of the clone: {install_command(extras)}"


def install_command(extras: str) -> str:
    """Return the command that installs extras, from the root of a clone."""
    return f'python -m pip install -e ".[{extras}]"'


def write_line(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"{' '.join(text.split())}\n")
    sys.stderr.flush()


def _exit(code: int, line: str) -> NoReturn:
    write_line(line)
    raise SystemExit(code) from None


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Make processes that start in this context ignore Ctrl-C. It reaches all of them, but their parent handles it.

    They inherit this, so it applies from their very start.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return a type for argparse that accepts whole numbers between two bounds, both included."""
    bounds = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"

    def convert(text: str) -> int:
        value = int(text) if text.isdecimal() else None
        if value is None or value < lowest or (highest is not None and value > highest):
            raise argparse.ArgumentTypeError(f"must be a whole number {bounds}, found {text!r}")
        return value

    return convert

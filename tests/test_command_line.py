"""The shared parts of all command lines: types of options, one-line errors, exit codes."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable

import pytest

from examples.command_line import (
    CommandError,
    Parser,
    children_ignore_interrupts,
    one_line_errors,
    whole_number,
)


def _broken_import() -> None:
    from examples.command_line import nothing  # type: ignore[attr-defined]  # noqa: F401


def _own_message() -> None:
    try:
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise ImportError("pygco needs gco-wrapper.") from error


def _missing_package() -> None:
    import no_such_package.part  # type: ignore[import-not-found]  # noqa: F401


def _missing_file() -> None:
    open("no/such/file")  # noqa: SIM115


def _raise(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


def _exit_as_lightning_does() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise SystemExit(1) from None


@pytest.mark.parametrize(
    ("work", "code", "line"),
    [
        (
            _missing_package,
            1,
            "error: No module named 'no_such_package'. Install it from the root of the clone: "
            'python -m pip install -e ".[one,two]"\n',
        ),
        (_own_message, 1, "error: pygco needs gco-wrapper.\n"),
        (_missing_file, 1, "error: no/such/file: No such file or directory\n"),
        (_raise(FileNotFoundError("The folder must\nhold x.")), 1, "error: The folder must hold x.\n"),
        (_raise(CommandError("Choose another.")), 1, "error: Choose another.\n"),
        (_raise(KeyboardInterrupt()), 130, "Stopped. Nothing was kept.\n"),
        (_exit_as_lightning_does, 130, "Stopped. Nothing was kept.\n"),
        (_raise(SystemExit(3)), 3, ""),
    ],
)
def test_an_error_is_one_line(
    work: Callable[[], None], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop, one_line_errors("one,two", "Stopped. Nothing was kept."):
        work()
    assert stop.value.code == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", line)


@pytest.mark.parametrize("work", [_raise(ValueError("a fault of the program")), _broken_import])
def test_a_fault_keeps_its_traceback(work: Callable[[], None]) -> None:
    with pytest.raises((ValueError, ImportError)), one_line_errors("one", "Stopped."):
        work()


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="program")
    parser.add_argument("--number", type=whole_number(1))
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--number", "x"])
    assert stop.value.code == 2
    expected = "program: error: argument --number: must be a whole number of at least 1, found 'x'. See --help.\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("wrong", ["1", "6", "x", "2.5", "-3"])
def test_whole_numbers_have_bounds(wrong: str) -> None:
    convert = whole_number(2, 5)
    assert [convert(text) for text in ("2", "5")] == [2, 5]
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be a whole number from 2 to 5, found '{wrong}'"):
        convert(wrong)


def test_interrupts_are_back_after_children_started() -> None:
    before = signal.getsignal(signal.SIGINT)
    with children_ignore_interrupts():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) == before

"""The study as a whole: it does what is missing, in this process or in others, and reports it."""

from __future__ import annotations

import io
import logging
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

from examples.study import COSTS, FIGURE, RESULTS, choose_settings, main, parse, run_study
from examples.study_parts.methods import METHODS, REFERENCE
from examples.study_parts.plan import Cost, Result, Setting, place_of, places
from examples.study_parts.records import append_record, read_records

_SETTING = Setting("digits", 100, epochs=2)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Undo what a process prepares for training."""
    threads = torch.get_num_threads()
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    yield
    torch.set_num_threads(threads)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def _options(folder: Path, *arguments: str) -> Namespace:
    return parse(["--output", str(folder), "--seeds", "1", *arguments])


def _console() -> Console:
    return Console(file=io.StringIO(), width=132, record=True)


def _write_costs(folder: Path, *, but: str) -> None:
    """Write costs, so that only one is left to be measured; all others are half of the reference's."""
    for place in places([_SETTING]):
        if place.method != but:
            append_record(folder / COSTS, Cost(*place, 2.0 if place.method == REFERENCE else 1.0))


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_left(tmp_path: Path) -> None:
    _write_costs(tmp_path, but="MixUp")
    run_study([_SETTING], _options(tmp_path), _console())
    costs = {place_of(cost).method: cost.epoch_seconds for cost in read_records(tmp_path / COSTS, Cost)}
    assert 0 < costs["MixUp"] < 1  # measured
    results = read_records(tmp_path / RESULTS, Result)
    assert len(results) == 2 * (len(METHODS) - 2) + 1
    assert {result.epochs for result in results if result.method == "CutMix"} == {2, 4}
    assert all(result.seconds > 0 and 0 < result.accuracy < 1 for result in results)

    before = (tmp_path / RESULTS).read_bytes()
    run_study([_SETTING], _options(tmp_path), _console())
    assert (tmp_path / RESULTS).read_bytes() == before

    lost, *kept = results
    (tmp_path / RESULTS).unlink()
    for result in kept:
        append_record(tmp_path / RESULTS, result)
    run_study([_SETTING], _options(tmp_path, "--processes", "2"), _console())
    *others, again = read_records(tmp_path / RESULTS, Result)
    assert others == kept
    assert again[:9] == lost[:9]  # all but its time, though another process did it


def test_a_report_alone_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--table-only", "--output", str(tmp_path)]
    main(arguments)
    assert "No results" in capsys.readouterr().out
    append_record(tmp_path / RESULTS, Result("digits", 100, REFERENCE, "epochs", 0, 5, 0.9, 0.05, 0.25, 1800.0))
    main(arguments)
    out = capsys.readouterr().out
    assert "90.00" in out
    assert "1 runs, 0.50 hours" in out
    assert (tmp_path / FIGURE).read_bytes()[:4] == b"\x89PNG"
    assert not (tmp_path / COSTS).exists()


def test_data_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    console = _console()
    settings = choose_settings(_options(tmp_path, "--fashion", str(tmp_path)), console)
    assert {setting.part for setting in settings} == {"digits"}
    assert "No Fashion-MNIST in" in console.export_text()
    assert choose_settings(_options(tmp_path, "--parts", "digits"), _console()) == settings


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--processes", "two"], ["--parts", "letters"]])
def test_options_out_of_range(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert "error" in capsys.readouterr().err

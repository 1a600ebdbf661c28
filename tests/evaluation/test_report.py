from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from examples.evaluation.report import report_table, write_report

_REPORT = {"accuracy": {"top-1": 0.875}, "training log: loss": {"last": 0.125, "epochs": 3}}


def test_shares_in_percent_and_logged_values_as_they_are() -> None:
    console = Console(width=80, file=io.StringIO())
    with console.capture() as capture:
        console.print(report_table(_REPORT))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capture.get().splitlines() if "│" in line]
    assert rows == [
        ["accuracy", "top-1", "87.50%"],
        ["training log: loss", "last", "0.125"],
        ["", "epochs", "3"],
    ]


def test_json_keeps_the_numbers(tmp_path: Path) -> None:
    write_report(_REPORT, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == _REPORT

"""The measurements as a table for the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

Section = Mapping[str, Any]  # measures by name
LOG_SECTION = "training log"  # start of the name of the section whose values are not shares


def report_table(report: Mapping[str, Section]) -> Table:
    """Tabulate the sections, with accuracies and calibration errors in percent and the log's metric as logged."""
    table = Table("", "measure", title="Evaluation")
    table.add_column("value", justify="right", overflow="fold")
    for section, measures in report.items():
        for row, (measure, value) in enumerate(measures.items()):
            is_share = isinstance(value, float) and not section.startswith(LOG_SECTION)
            text = f"{value:.2%}" if is_share else f"{value:.6g}" if isinstance(value, float) else str(value)
            table.add_row(section if row == 0 else "", measure, text, end_section=row == len(measures) - 1)
    return table


def write_report(report: Mapping[str, Section], path: Path) -> None:
    """Write the sections as JSON, with shares between 0 and 1."""
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

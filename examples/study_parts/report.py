"""The report of a study: its tables, for the console and for a Markdown page, and its figure."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from examples.study_parts.figure import DOTS_PER_INCH, draw_figure
from examples.study_parts.names import RESULTS
from examples.study_parts.plan import Result
from examples.study_parts.records import read_records
from examples.study_parts.summary import summarise, time_shares
from examples.study_parts.table import NOTE, make_tables, write_markdown, write_time_shares

TABLE, FIGURE = "table.md", "study.png"


def report(folder: Path, console: Console) -> None:
    """Print the tables of all results in a folder, write them as Markdown, and draw the figure."""
    results = read_records(folder / RESULTS, Result)
    if not results:
        console.print(f"No results in {folder} yet.")
        return
    summaries = summarise(results)
    for table in make_tables(summaries):
        console.print(table)
    notes = f"{NOTE}\n\n{write_time_shares(time_shares(results))}"
    console.print(notes)
    (folder / TABLE).write_text(f"{write_markdown(summaries)}\n{notes}\n", encoding="utf-8")
    draw_figure(summaries).savefig(folder / FIGURE, dpi=DOTS_PER_INCH)
    hours = sum(row.hours for row in summaries)
    console.print(f"{len(results)} runs, {hours:.2f} hours of training. Figure: {folder / FIGURE}")

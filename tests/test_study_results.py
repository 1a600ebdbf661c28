"""The study's plan, records, tables and figure."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from examples.study_parts.figure import draw_figure
from examples.study_parts.methods import AUTHORS_CUTS, METHODS, REFERENCE
from examples.study_parts.plan import Cost, Result, Run, Setting, epochs_in_time, places, plan_runs, unfinished
from examples.study_parts.records import append_record, read_records
from examples.study_parts.summary import summarise
from examples.study_parts.table import cells, make_tables

_RUN = Run("digits", 100, "none", "time", 0, 240)
_RESULT = Result(*_RUN, 0.5, 0.25, 1.5, 3600.0)


def _results() -> list[Result]:
    """Return two seeds of the reference and of one method in both budgets."""
    rows = {(REFERENCE, "epochs"): (0.90, 0.94), ("none", "epochs"): (0.80, 0.82), ("none", "time"): (0.85, 0.87)}
    return [
        Result("digits", 100, method, budget, seed, 7, accuracy, accuracy / 10, 0.3 + seed, 1800.0)
        for (method, budget), accuracies in rows.items()
        for seed, accuracy in enumerate(accuracies)
    ]


def test_the_cheaper_have_more_epochs_in_equal_time() -> None:
    assert epochs_in_time(30, 1.5, 0.5) == 90
    assert epochs_in_time(30, 1.0, 5.0) == 6
    assert epochs_in_time(3, 1.0, 50.0) == 1


def test_the_plan_has_the_reference_once() -> None:
    setting = Setting("digits", 100, 10)
    costs = [Cost(*place, 2.0 if place.method == REFERENCE else 1.0) for place in places([setting])]
    runs = plan_runs([setting], costs, seeds=3)
    assert len(runs) == len(set(runs)) == 3 * (2 * (len(METHODS) - 2) + 1)
    assert {run.epochs for run in runs if run.budget == "time"} == {20}
    assert [run.budget for run in runs if run.method == REFERENCE] == ["epochs"] * 3
    assert AUTHORS_CUTS not in {run.method for run in runs}
    assert AUTHORS_CUTS in {place.method for place in places([Setting("digits", 100, 10, has_authors_cuts=True)])}


def test_finished_runs_are_left_out() -> None:
    other = _RUN._replace(seed=1)
    assert unfinished([_RUN, other], [_RESULT]) == [other]
    with pytest.raises(ValueError, match=r"must have been done for as many epochs, found 240. Choose another folder"):
        unfinished([_RUN._replace(epochs=241)], [_RESULT])


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    assert read_records(path, Result) == []
    second = _RESULT._replace(method=AUTHORS_CUTS, nll=0.1 + 0.2)  # a comma in a name, all digits of a number
    for record in (_RESULT, second):
        append_record(path, record)
    assert read_records(path, Result) == [_RESULT, second]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="must have the columns"):
        read_records(path, Cost)


def test_an_interrupted_line_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    append_record(path, _RESULT)
    path.with_suffix(".new").write_text("part,lab", encoding="utf-8")  # what a killed process leaves
    append_record(path, _RESULT._replace(seed=1))
    assert [result.seed for result in read_records(path, Result)] == [0, 1]


def test_summaries_by_hand() -> None:
    summaries = summarise(_results()[::-1])
    assert [(row.budget, row.method) for row in summaries] == [
        *(("epochs", "none"), ("epochs", REFERENCE)),
        *(("time", "none"), ("time", REFERENCE)),
    ]
    none = summaries[0]
    assert none.accuracy == pytest.approx((0.81, 0.02 / 2**0.5))
    assert none.gain == pytest.approx((-0.11, 0.02 / 2**0.5))  # -0.10 and -0.12, seed by seed
    assert none.calibration_error == pytest.approx((0.081, 0.002 / 2**0.5))
    assert (none.epochs, none.seeds, none.hours) == (7, 2, 1.0)


def test_table_cells_by_hand() -> None:
    summaries = summarise(_results())
    none, reference = cells(summaries[0]), cells(summaries[1])
    assert none == ["none", "7", "81.00 ± 1.41", "-11.00 ± 1.41", "8.10 ± 0.14", "0.800 ± 0.707", "2", "1.000"]
    assert reference[3] == ""
    [table] = make_tables(summaries)
    console = Console(width=132, file=io.StringIO(), record=True)
    console.print(table)
    text = console.export_text()
    assert "digits, 100 labels" in text
    assert text.count("equal epochs") == text.count("equal time") == 1
    assert "-9.00 ± 1.41" not in text
    assert "-6.00 ± 1.41" in text  # none at equal time: 0.85 - 0.90 and 0.87 - 0.94


def test_a_study_that_has_only_begun_is_reported(tmp_path: Path) -> None:
    [row] = summarise(_results()[2:3])
    assert cells(row)[2:4] == ["80.00", ""]
    draw_figure([row], tmp_path / "study.png")
    assert (tmp_path / "study.png").stat().st_size > 0

"""The summary, table and figure of the study."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from examples.study_parts.figure import draw_figure, spread_out
from examples.study_parts.names import FAST, HALF_CUTMIX, MIXUP, NONE, PAPER
from examples.study_parts.plan import LONG, MIDDLE, SHORT, Result
from examples.study_parts.records import read_records
from examples.study_parts.summary import estimate, summarise, time_shares
from examples.study_parts.table import make_tables, write_markdown, write_time_shares
from tests.study.tiny import make_result


def _results() -> list[Result]:
    accuracies = {
        (NONE, 1): (0.80, 0.82, 0.84),
        (NONE, 10): (0.90, 0.92),
        (PAPER, 1): (0.79, 0.80),
        (PAPER, 10): (0.93, 0.93),
        ("MixUp", 3): (0.85,),
    }
    return [
        make_result(method, budget, seed, accuracy)
        for (method, budget), found in accuracies.items()
        for seed, accuracy in enumerate(found)
    ]


def test_estimates_by_hand() -> None:
    assert estimate([1, 2, 6]) == pytest.approx((3, math.sqrt(7 / 3)))
    assert estimate([2])[0] == 2
    assert math.isnan(estimate([2]).error)
    assert math.isnan(estimate([]).mean)


def test_summaries_by_hand() -> None:
    results = _results()
    summaries = summarise(results[::-1])
    assert [(row.method, row.budget) for row in summaries] == [
        *((NONE, 1), (NONE, 10), ("MixUp", 3)),
        *((PAPER, 1), (PAPER, 10)),
    ]
    paper = summaries[3]
    assert paper.accuracies == (0.79, 0.80)
    assert paper.gains == pytest.approx((-0.01, -0.02))  # seed by seed
    assert paper.ece == pytest.approx((0.0795, 0.0005))
    assert paper.scaled_ece == pytest.approx((0.03975, 0.00025))
    assert paper.nll == pytest.approx((0.205, 0.005))
    assert paper.scaled_nll == pytest.approx((0.4, 0.0))
    assert paper.hours == 1.0
    assert summaries[2].gains == ()  # the method "none" has no runs with this budget
    assert summaries == summarise(results)


def test_times_are_compared_run_by_run() -> None:
    seconds = {(NONE, 0): 10.0, (NONE, 1): 100.0, (PAPER, 0): 11.0, (PAPER, 1): 120.0, (PAPER, 2): 9.0}
    results = [make_result(method, 1, seed, 0.5)._replace(seconds=took) for (method, seed), took in seconds.items()]
    found = time_shares([*results, make_result("MixUp", 3, 0, 0.5)])  # there is nothing to compare the last one with
    assert found == pytest.approx({PAPER: 1.15})
    assert write_time_shares(found | {"MixUp": 1.0}) == (
        "Training time relative to none, median: Co-Mixup (paper) 1.15; MixUp 1.00."
    )


def test_a_difference_of_zero_has_one_sign() -> None:
    accuracies = {NONE: 0.8, PAPER: 0.79999, "MixUp": 0.80001}
    rows = write_markdown(summarise([make_result(method, 1, 0, found) for method, found in accuracies.items()]))
    assert [line.split(" | ")[1] for line in rows.splitlines()[-2:]] == ["+0.0", "+0.0"]


def test_tasks_are_in_the_studys_order() -> None:
    places = [("digits", 600), ("fashion", 2000), ("fashion", 500), ("clutter", 500)]
    found = summarise([make_result(NONE, 1, 0, 0.5, part, labels) for part, labels in places])
    assert [row.task[:2] for row in found] == [("fashion", 500), ("fashion", 2000), ("clutter", 500), ("digits", 600)]


def test_the_table_by_hand() -> None:
    summaries = summarise(_results())
    lines = write_markdown(summaries).splitlines()
    assert lines[0].startswith("| method | 60 epochs: accuracy % | 60 epochs: ECE % | 60 epochs: log-loss | 180 epochs")
    assert lines[1].count("---:") == 9
    assert [line.count("|") for line in lines] == [11] * 6
    assert lines[2].startswith("| **digits in clutter, 600 labels** |")
    assert lines[3] == (
        "| none | 82.0 ± 1.2 | 8.2 / 4.1 | 0.18 / 0.40 |  |  |  | 91.0 ± 1.0 | 9.1 / 4.5 | 0.09 / 0.40 |"
    )
    assert lines[4] == "| MixUp |  |  |  |  | 8.5 / 4.2 | 0.15 / 0.40 |  |  |  |"
    assert lines[5].startswith("| Co-Mixup (paper) | -1.5 ± 0.5 | 8.0 / 4.0 | 0.20 / 0.40 |  |  |  | +2.0 ± 1.0 |")
    console = Console(width=170, file=io.StringIO(), record=True)
    [table] = make_tables(summaries)
    console.print(table)
    text = console.export_text()
    assert "digits in clutter, 600 labels" in text
    assert "-1.5 ± 0.5" in text
    assert "…" not in text


def test_another_network_is_another_task() -> None:
    results = [make_result(NONE, 1, 0, 0.5), make_result(NONE, 1, 0, 0.6)._replace(network="resnet18")]
    text = write_markdown(summarise(results))
    assert "**digits in clutter, 600 labels**" in text
    assert "**digits in clutter, 600 labels, ResNet-18**" in text


def test_a_task_with_other_epochs_has_its_own_table() -> None:
    places = [("fashion", 500), ("fashion-all", 59_000)]
    summaries = summarise([make_result(NONE, 3, 0, 0.5, part, labels) for part, labels in places])
    first, second = write_markdown(summaries).split("\n\n")
    assert first.startswith("| method | 180 epochs: accuracy % |")
    assert second.startswith("| method | 30 epochs: accuracy % |")
    assert "**Fashion-MNIST, 59,000 labels**" in second
    assert "59,000" not in first
    assert len(make_tables(summaries)) == 2


def test_the_figure_has_a_panel_for_each_task() -> None:
    results = [
        make_result(method, budget, seed, accuracy + seed / 50 * (method == PAPER), part)
        for part in ("digits", "cells")
        for method, accuracy in ((NONE, 0.5), (PAPER, 0.52), (FAST, 0.5), (HALF_CUTMIX, 0.45))
        for budget in (1, 3, 10)
        for seed in (0, 1)
    ]
    results += [make_result(MIXUP, budget, 0, 0.55, part) for part in ("digits", "cells") for budget in (3, 10)]
    figure = draw_figure(summarise(results))
    axes = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in axes] == ["solar cells, 600 labels", "digits in clutter, 600 labels"]
    panel: Any = axes[0]  # matplotlib's types do not include error bars
    assert [text.get_text() for text in panel.texts] == ["none", "Co-Mixup", "Co-Mixup, fast", "CutMix, half", "MixUp"]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["60\n50.0 %", "180\n50.0 %", "600\n50.0 %"]
    assert panel.get_xscale() == "log"
    heights = [[round(float(height), 9) for height in line.get_ydata()] for line in panel.lines]
    assert [0, 0] in heights  # the line of "none"
    assert [2, 4] in heights  # a dot for each of Co-Mixup's seeds
    assert [3, 3, 3] in heights  # the means of Co-Mixup
    assert heights.count([5]) == 2  # MixUp's only seed, with two budgets
    [*_, errors] = [bars for bars in panel.containers if bars.lines[0].get_ydata()[0] == pytest.approx(3)]
    [(low, high), *_] = (segment[:, 1] for segment in errors.lines[2][0].get_segments())
    assert (low, high) == pytest.approx((2, 4))  # the standard error of 2 and 4 is 1


def test_a_figure_is_drawn_from_partial_results() -> None:
    """A method has no line while there is nothing to compare its runs with."""
    figure = draw_figure(summarise([make_result(PAPER, 1, 0, 0.5), make_result(NONE, 30, 0, 0.5)]))
    panel = figure.axes[0]
    assert [text.get_text() for text in panel.texts] == ["none"]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["60\n", "1800\n50.0 %"]
    figure.savefig(io.BytesIO())


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.0, 5.0, 2.0], [0, 5, 2]),
        ([0.0, 0.0], [-0.5, 0.5]),
        ([1.0, 0.0, 0.5], [1.5, -0.5, 0.5]),
        ([0.0, 0.5, 1.4], [-0.3666667, 0.6333333, 1.6333333]),  # the first two push the third
    ],
)
def test_names_keep_apart(heights: list[float], expected: list[float]) -> None:
    assert spread_out(heights, 1.0) == pytest.approx(expected)


@pytest.mark.parametrize("folder", ["study_results", "study_results/gpu"])
def test_the_page_has_the_tables_of_the_results(folder: str) -> None:
    root = Path(__file__).parents[2]
    results = read_records(root / "examples" / folder / "results.csv", Result)
    page = (root / "docs" / "study.md").read_text(encoding="utf-8")
    assert write_markdown(summarise(results)) in page, "run the study with --table-only and copy its table.md"


def test_the_presets_page_has_the_ranges_of_the_results() -> None:
    root = Path(__file__).parents[2]
    rows = summarise(read_records(root / "examples" / "study_results" / "results.csv", Result))
    page = (root / "docs" / "guides" / "saliency.md").read_text(encoding="utf-8")

    def gains(method: str, budget: int) -> str:
        found = [100 * estimate(row.gains).mean for row in rows if (row.method, row.budget) == (method, budget)]
        return f"{min(found):.1f} to {max(found):.1f}"

    def errors(method: str) -> str:
        found = [100 * row.ece.mean for row in rows if (row.method, row.budget) == (method, LONG)]
        return f"{min(found):.0f} to {max(found):.0f} %"

    times = {
        SHORT: "points of accuracy above no mixing, in the time of 60 epochs",
        MIDDLE: "in the time of 180 epochs",
        LONG: "in the time of 600 epochs",
    }
    for budget, name in times.items():
        assert f"| {name} | {gains(PAPER, budget)} | {gains(FAST, budget)} |\n" in page
    last = f"calibration error after 600 epochs (no mixing: {errors(NONE)})"
    assert f"| {last} | {errors(PAPER)} | {errors(FAST)} |\n" in page

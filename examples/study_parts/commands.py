"""The work of the command: the runs of a study, or the choice of its rates."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from examples.digits_parts.training import prepare_process
from examples.processes import spread
from examples.study_parts.costs import measure_cost
from examples.study_parts.names import COSTS, NONE, RESULTS, TUNING
from examples.study_parts.plan import (
    Cost,
    Result,
    Wish,
    first_stage,
    places,
    plan_runs,
    unfinished,
)
from examples.study_parts.records import append_record, read_records
from examples.study_parts.tuning import Tried, plan_trials, try_rates
from examples.study_parts.work import do_run

_HOUR = 3600

R = TypeVar("R", bound=NamedTuple)
Task = TypeVar("Task")


class Session(NamedTuple):
    """The settings that the tasks of a command share."""

    options: argparse.Namespace
    console: Console
    end: float  # no task starts after this time of `time.monotonic`

    def do(self, work: Callable[[Task], R], tasks: Sequence[Task], file_name: str) -> None:
        """Run tasks and write a line for each one when it ends."""
        path = self.options.output / file_name
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total}"))
        # Drawn only once a second, because drawing adds to the measured time of the runs in this process.
        with Progress(*columns, TimeElapsedColumn(), console=self.console, refresh_per_second=1) as progress:
            bar = progress.add_task(path.stem, total=len(tasks))
            with closing(spread(work, tasks, self.options.processes, prepare_process, self.end)) as found:
                for record in found:
                    append_record(path, record)
                    progress.advance(bar)


def run_study(options: argparse.Namespace, wish: Wish, console: Console) -> None:
    """Measure the missing costs and carry out the missing runs in two stages, the most informative runs first."""
    session = _begin(options, console)
    _do_stage(first_stage(wish), session, wish)
    _do_stage(wish, session, wish)


def tune(options: argparse.Namespace, wish: Wish, console: Console) -> None:
    """Carry out the missing trials."""
    done = {tried[:6] for tried in read_records(options.output / TUNING, Tried)}
    trials = [trial for trial in plan_trials(wish.settings) if trial[:6] not in done]
    _begin(options, console).do(partial(try_rates, folder=options.fashion), trials, TUNING)


def _begin(options: argparse.Namespace, console: Console) -> Session:
    return Session(options, console, time.monotonic() + options.limit_hours * _HOUR)


def _do_stage(wish: Wish, session: Session, whole: Wish) -> None:
    """Carry out the missing measurements and runs of a wish, which is a part of the wish `whole`."""
    options = session.options
    known = {cost[:3] for cost in read_records(options.output / COSTS, Cost)}
    unknown = [(part, method) for part, method in places(wish) if (part, wish.network, method) not in known]
    same = {"network": wish.network, "accelerator": options.accelerator, "folder": options.fashion}
    session.do(partial(_measure_cost, **same), unknown, COSTS)
    costs = [cost for cost in read_records(options.output / COSTS, Cost) if cost.network == wish.network]
    ratios = {(cost.part, cost.method): cost.ratio for cost in costs}
    if set(places(wish)) <= ratios.keys():  # otherwise the time is up
        results = read_records(options.output / RESULTS, Result)
        session.console.print(f"About {hours_left(whole, costs, results):.2f} hours of one process are left.")
        left = unfinished(plan_runs(wish, ratios), results)
        session.do(partial(do_run, folder=options.fashion, accelerator=options.accelerator), left, RESULTS)


def _measure_cost(place: tuple[str, str], network: str, accelerator: str, folder: Path) -> Cost:
    return measure_cost(*place, network, accelerator, folder)


def hours_left(wish: Wish, costs: Sequence[Cost], results: Sequence[Result]) -> float:
    """Return the hours that the remaining runs take. By plan, each takes as long as the plain steps of its budget."""
    milliseconds = {cost.part: cost.milliseconds for cost in costs if cost.method == NONE}
    done = {result[:6] for result in results}
    left = [run for run in plan_runs(wish, defaultdict(lambda: 1.0)) if run[:6] not in done]
    return sum(run.steps * milliseconds[run.part] for run in left) / 1000 / _HOUR

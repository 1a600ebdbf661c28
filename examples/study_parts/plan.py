"""The runs of the study, how long each one trains, and their order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from examples.command_line import CommandError
from examples.study_parts.names import (
    AUTHORS_CUTS,
    FAST,
    HALF_CUTMIX,
    LOW,
    METHOD_NAMES,
    MIXUP,
    NONE,
    PAPER,
    RANDOM,
    SMALL,
    STOPPED,
    TUNED,
    TUNED_MIXING,
)
from examples.study_parts.recipes import RECIPES

SHORT, MIDDLE, LONG = 1, 3, 10
BUDGETS = (SHORT, MIDDLE, LONG)
MAIN = (NONE, HALF_CUTMIX, PAPER, FAST)  # at every budget
_MAIN_SEEDS, _OTHER_SEEDS = 5, 3
# The tuned rates and early stopping are for long training. MixUp and the control did as well as any method in the
# middle budget, and low resolution was the fast preset before the study chose edges. The others have only that budget.
_OWN_BUDGETS = {
    **dict.fromkeys((TUNED, STOPPED, *TUNED_MIXING), (LONG,)),
    **dict.fromkeys((MIXUP, RANDOM), (MIDDLE, LONG)),
    LOW: BUDGETS,
}


class Setting(NamedTuple):
    """A task, the number of labels that are used, and the epochs of plain training that equal a budget of 1."""

    part: str
    labels: int
    epochs: int = 60


SETTINGS = (
    *(Setting("fashion", 500), Setting("fashion", 2000)),
    *(Setting("clutter", 500), Setting("clutter", 2000)),
    *(Setting("cells", 600), Setting("digits", 600)),
)
# All of Fashion-MNIST except the validation images. It is meant for a GPU, and runs only on request.
REAL_SIZE = Setting("fashion-all", 59_000, epochs=10)
_OF_AUTHORS_CUTS = (SETTINGS[0],)  # only one, because they take many times as long as the other methods


class Wish(NamedTuple):
    """A request for runs. None means the study's own choice."""

    settings: tuple[Setting, ...] = SETTINGS
    methods: Collection[str] | None = None
    budgets: Collection[int] | None = None
    seeds: int | None = None
    network: str = SMALL


class Cost(NamedTuple):
    """The cost of a method's step in plain steps, and the milliseconds of both kinds of step, measured in turn."""

    part: str
    network: str
    method: str
    ratio: float
    milliseconds: float
    plain_milliseconds: float


class Run(NamedTuple):
    """One training."""

    part: str
    labels: int
    network: str
    method: str
    budget: int
    seed: int
    steps: int


class Result(NamedTuple):
    """The measurements of a run.

    Columns without a prefix are for the test images, and "scaled" ones are for them after temperature scaling. The
    temperature is fitted on the validation images. The seconds are processor time, or real time on a GPU.
    """

    part: str
    labels: int
    network: str
    method: str
    budget: int
    seed: int
    steps: int
    val_accuracy: float
    val_ece: float
    val_nll: float
    accuracy: float
    ece: float
    nll: float
    temperature: float
    scaled_ece: float
    scaled_nll: float
    seconds: float


def plain_steps(setting: Setting, budget: int) -> int:
    """Return the steps of plain training within a budget."""
    return budget * setting.epochs * max(1, setting.labels // RECIPES[setting.part].batch_size)


def steps_in_time(plain: int, ratio: float) -> int:
    """Return the number of steps of a method that take as long as a number of plain steps.

    Args:
        plain: Number of plain steps.
        ratio: Number of plain steps that take as long as one step of the method.
    """
    return max(2, round(plain / ratio))  # a single step cannot have a cycle of the learning rate


def chosen_methods(wish: Wish) -> list[str]:
    """Return the requested methods, in the order of `METHOD_NAMES`."""
    return [method for method in METHOD_NAMES if wish.methods is None or method in wish.methods]


def places(wish: Wish) -> list[tuple[str, str]]:
    """Return the part and the method of each cost to measure, with plain training first in each part."""
    methods = [NONE, *chosen_methods(wish)]
    return list(
        dict.fromkeys(
            (setting.part, cost_like(method))
            for setting in wish.settings
            for method in methods
            if has_place(method, setting)
        )
    )


def cost_like(method: str) -> str:
    """Return the method whose steps cost as much as this one's.

    The compared time does not include the validation for early stopping, because people validate every training.
    """
    return NONE if method in (TUNED, STOPPED) else TUNED_MIXING.get(method, method)


def first_stage(wish: Wish) -> Wish:
    """Return the most informative part of a wish, which is the main methods' first seeds."""
    methods = [method for method in chosen_methods(wish) if method in MAIN]
    return wish._replace(methods=methods, seeds=min(wish.seeds or _OTHER_SEEDS, _OTHER_SEEDS))


def plan_runs(wish: Wish, ratios: Mapping[tuple[str, str], float]) -> list[Run]:
    """Return all runs, the most informative ones first in case the study is interrupted.

    The main methods' first three seeds come first, then the other methods, then the other seeds. Each of these is in
    the order of seed, budget and task.

    Args:
        wish: The request.
        ratios: Cost of a step for each part and method, in plain steps.
    """
    runs = [
        Run(setting.part, setting.labels, wish.network, method, budget, seed, steps)
        for setting in wish.settings
        for method in chosen_methods(wish)
        if has_place(method, setting)
        for budget in wish.budgets or budgets_of(method)
        for seed in range(wish.seeds or seeds_of(method))
        for steps in [steps_in_time(plain_steps(setting, budget), ratios[setting.part, cost_like(method)])]
    ]
    return sorted(runs, key=lambda run: (_phase(run), run.seed, run.budget))  # stable


def budgets_of(method: str) -> tuple[int, ...]:
    """Return the budgets that a method has in the study."""
    return BUDGETS if method in MAIN else _OWN_BUDGETS.get(method, (MIDDLE,))


def seeds_of(method: str) -> int:
    """Return how many seeds a method has in the study."""
    return _MAIN_SEEDS if method in MAIN else _OTHER_SEEDS


def _phase(run: Run) -> int:
    if run.method not in MAIN:
        return 1
    return 0 if run.seed < _OTHER_SEEDS else 2


def has_place(method: str, setting: Setting) -> bool:
    """Return whether the study uses a method in a setting."""
    if method in TUNED_MIXING:  # only where the rates were chosen, which saves time
        return setting in fewest_labels(SETTINGS)
    return method != AUTHORS_CUTS or setting in _OF_AUTHORS_CUTS


def fewest_labels(settings: Iterable[Setting]) -> list[Setting]:
    """Return the setting with the fewest labels of each part."""
    fewest: dict[str, Setting] = {}
    for setting in sorted(settings, key=lambda setting: setting.labels):
        fewest.setdefault(setting.part, setting)
    return list(fewest.values())


def unfinished(runs: Iterable[Run], results: Iterable[Result]) -> list[Run]:
    """Return the runs that have no result yet.

    Raises:
        CommandError: If a finished run has a different number of steps, so that the results would not be comparable.
    """
    done = {result[:6]: result.steps for result in results}
    left = []
    for run in runs:
        steps = done.get(run[:6])
        if steps is None:
            left.append(run)
        elif steps != run.steps:
            raise CommandError(f"The result of {run} must have as many steps, found {steps}. Choose another folder.")
    return left

"""Every hyper-parameter of the method, its default and its check, written once."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

Thresholding = Literal["hard", "soft"]
Solver = Literal["exact", "pygco"]
GridSize = int | tuple[int, ...] | Literal["random"]


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """The hyper-parameters of one batch's mixing, described in `CoMixup`; defaults are the authors' for CIFAR."""

    alpha: float = 2.0
    grid_size: GridSize = 4
    partition_size: int = 20
    smoothness: float = 0.32
    diversity: float = 1.0
    penalty_threshold: float = 0.83
    thresholding: Thresholding = "hard"
    prior_weight: float = 0.05
    compatibility_weight: float = 0.001
    compatibility_window: int = 8
    compatibility_stride: int = 1
    sweeps: int = 4
    restarts: int = 1
    resolve_duplicates: bool = True
    solver: Solver = "exact"

    def __post_init__(self) -> None:
        """Check every value; make plain numbers of NumPy's, whose arithmetic is that of their own width.

        Raises:
            ValueError: If a value is out of its range.
            TypeError: If a value has the wrong type.
        """
        if isinstance(self.grid_size, list):  # what YAML and JSON make of a tuple
            object.__setattr__(self, "grid_size", tuple(self.grid_size))
        for name in ("partition_size", "compatibility_window", "compatibility_stride", "sweeps", "restarts"):
            check_count(name, getattr(self, name))
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in ("smoothness", "diversity", "penalty_threshold", "prior_weight", "compatibility_weight", "alpha"):
            highest = 1.0 if name == "compatibility_weight" else math.inf
            check_number(name, getattr(self, name), lowest=0.0, highest=highest)
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.alpha == 0:
            raise ValueError("alpha must be above 0, found 0. For no prior at all set prior_weight=0.")
        check_choice("thresholding", self.thresholding, get_args(Thresholding))
        check_choice("solver", self.solver, get_args(Solver))
        check_flag("resolve_duplicates", self.resolve_duplicates)
        self._check_grid_size()

    def _check_grid_size(self) -> None:
        if isinstance(self.grid_size, str):
            check_choice("grid_size", self.grid_size, ("random",))
            return
        sides = self.grid_size if isinstance(self.grid_size, tuple) else (self.grid_size,)
        if not sides:
            raise ValueError("grid_size must name at least one side, found (). Give an int or one int per dimension.")
        for side in sides:
            check_count("grid_size", side)


def make_hyperparameters(values: dict[str, Any]) -> Hyperparameters:
    """Build the hyper-parameters from keyword arguments.

    Raises:
        TypeError: If a name is unknown.
    """
    names = [field.name for field in fields(Hyperparameters)]
    for name in values:
        if name not in names:
            raise TypeError(f"Unknown hyper-parameter {name!r}. Those known are: {', '.join(names)}.")
    return Hyperparameters(**values)


# Counts go into compiled loops and sizes of tensors, which are 64-bit integers.
_MOST_COUNT = 2**63 - 1


def check_count(name: str, value: object, lowest: int = 1) -> None:
    """Check that `value` is an integer of at least `lowest` that fits 64 bits.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is lower, or too large.
    """
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Integral)):  # the first is fast
        raise TypeError(f"{name} must be an integer of at least {lowest}, found {value!r}.")
    if value < lowest:
        raise ValueError(f"{name} must be an integer of at least {lowest}, found {value}.")
    if int(value) > _MOST_COUNT:
        raise ValueError(f"{name} must be an integer that fits 64 bits, found one of {int(value).bit_length()} bits.")


def check_number(name: str, value: object, *, lowest: float, highest: float = math.inf) -> None:
    """Check that `value` is a finite number between two bounds, both included.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not finite or out of bounds.
    """
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):  # the first is fast
        raise TypeError(f"{name} must be a number, found {value!r}.")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not lowest <= number <= highest or number == math.inf:
        bounds = f"at least {lowest:g}" if highest == math.inf else f"from {lowest:g} to {highest:g}"
        raise ValueError(f"{name} must be a finite number, {bounds}, found {number}.")


def check_flag(name: str, value: object) -> None:
    """Check that `value` is True or False.

    Raises:
        TypeError: If it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, found {value!r}.")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check that `value` is one of a few words.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}, found {value!r}.")

"""Every hyper-parameter of the method, its default and its check, written once."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
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
            check_count(name, getattr(self, name), advice=_ADVICE[name])
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in ("smoothness", "diversity", "penalty_threshold", "prior_weight", "compatibility_weight", "alpha"):
            highest = 1.0 if name == "compatibility_weight" else math.inf
            check_number(name, getattr(self, name), lowest=0.0, highest=highest, advice=_ADVICE[name])
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.alpha == 0:
            raise ValueError("alpha must be above 0, found 0. For no prior at all set prior_weight=0.")
        check_choice("thresholding", self.thresholding, get_args(Thresholding), advice=_ADVICE["thresholding"])
        check_choice("solver", self.solver, get_args(Solver), advice=_ADVICE["solver"])
        check_flag("resolve_duplicates", self.resolve_duplicates, advice=_ADVICE["resolve_duplicates"])
        self._check_grid_size()

    def _check_grid_size(self) -> None:
        if isinstance(self.grid_size, str):
            check_choice("grid_size", self.grid_size, ("random",), advice=_SIDES)
            return
        sides = self.grid_size if isinstance(self.grid_size, tuple) else (self.grid_size,)
        if not sides:
            raise ValueError(f"grid_size must name at least one side, found (). {_SIDES}")
        for side in sides:
            check_count("grid_size", side, advice=_SIDES)


# What to do about a value that is refused.
_ADVICE = {field.name: f"Leave it out for the default, {field.default!r}." for field in fields(Hyperparameters)}
_SIDES = 'Give an int, a tuple of one int per dimension, or "random".'


def make_hyperparameters(values: dict[str, Any]) -> Hyperparameters:
    """Build the hyper-parameters from keyword arguments; the same ones are checked once.

    Raises:
        TypeError: If a name is unknown, or a value has the wrong type.
        ValueError: If a value is out of its range.
    """
    # Lists cannot be remembered, nor can what is wrong; the second call says so without the trace of the first.
    with suppress(TypeError):
        return _remembered(**values)
    return _build(**values)


def _build(**values: Any) -> Hyperparameters:
    names = [field.name for field in fields(Hyperparameters)]
    for name in values:
        if name not in names:
            raise TypeError(
                f"Hyper-parameters must be among {', '.join(names)}, found {name!r}. Use one of these names; a seed is "
                "given as `generator`, and what only the callback has as an argument of CoMixup."
            )
    return Hyperparameters(**values)


# By type as well: 1 and True are equal, and one of them is no count.
_remembered = lru_cache(maxsize=64, typed=True)(_build)


# Counts go into compiled loops and sizes of tensors, which are 64-bit integers.
_MOST_COUNT = 2**63 - 1


def check_count(name: str, value: object, lowest: int = 1, *, advice: str) -> None:
    """Check that `value` is an integer of at least `lowest` that fits 64 bits; `advice` ends the error: what to do.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is lower, or too large.
    """
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Integral)):  # the first is fast
        raise TypeError(f"{name} must be an integer of at least {lowest}, found {value!r}. {advice}")
    if value < lowest:
        raise ValueError(f"{name} must be an integer of at least {lowest}, found {value}. {advice}")
    if int(value) > _MOST_COUNT:
        bits = int(value).bit_length()
        raise ValueError(f"{name} must be an integer that fits 64 bits, found one of {bits} bits. {advice}")


def check_number(name: str, value: object, *, lowest: float, highest: float = math.inf, advice: str) -> None:
    """Check that `value` is a finite number between two bounds, both included.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not finite or out of bounds.
    """
    is_number = type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))  # the first is fast
    if is_number and lowest <= _as_float(value) <= min(highest, sys.float_info.max):
        return
    bounds = f"at least {lowest:g}" if highest == math.inf else f"from {lowest:g} to {highest:g}"
    error = ValueError if is_number else TypeError
    raise error(f"{name} must be a finite number, {bounds}, found {value!r}. {advice}")


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf


def check_flag(name: str, value: object, *, advice: str) -> None:
    """Check that `value` is True or False.

    Raises:
        TypeError: If it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, found {value!r}. {advice}")


def check_choice(name: str, value: object, choices: tuple[str, ...], *, advice: str) -> None:
    """Check that `value` is one of a few words.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}, found {value!r}. {advice}")


def check_function(name: str, value: object, arguments: str, *, advice: str) -> None:
    """Check that `value` can be called, and is no class: calling that would make an instance.

    Raises:
        TypeError: If it is not.
    """
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be a function of {arguments}, found {value!r}. {advice}")

"""The hyper-parameters of the method, each defined once with its default and its check."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal, get_args

from lightning_comixup.validation import check_choice, check_count, check_flag, check_number, check_positive

Thresholding = Literal["hard", "soft"]
Solver = Literal["descent", "pygco"]
GridSize = int | tuple[int, ...] | Literal["random"]


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """The hyper-parameters of the method, described in `CoMixup`. The defaults are the authors' for CIFAR."""

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
    solver: Solver = "descent"

    def __post_init__(self) -> None:
        """Check every value, and convert NumPy scalars, whose arithmetic depends on their dtype, to Python numbers.

        Raises:
            ValueError: If a value is out of range.
            TypeError: If a value has the wrong type.
        """
        if isinstance(self.grid_size, list):  # YAML and JSON turn tuples into lists
            object.__setattr__(self, "grid_size", tuple(self.grid_size))
        for name in ("partition_size", "compatibility_window", "compatibility_stride", "sweeps", "restarts"):
            check_count(name, getattr(self, name), advice=_ADVICE[name])
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in ("smoothness", "diversity", "penalty_threshold", "prior_weight", "compatibility_weight"):
            highest = 1.0 if name == "compatibility_weight" else math.inf
            check_number(name, getattr(self, name), lowest=0.0, highest=highest, advice=_ADVICE[name])
            object.__setattr__(self, name, float(getattr(self, name)))
        check_positive("alpha", self.alpha, advice=f"{_ADVICE['alpha']} For no prior at all set prior_weight=0.")
        object.__setattr__(self, "alpha", float(self.alpha))
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


# The last sentence of each error message: the advice on a rejected value.
_ADVICE = {field.name: f"Leave it out for the default, {field.default!r}." for field in fields(Hyperparameters)}
_SIDES = 'Give an int, a tuple of one int per dimension, or "random".'


def make_hyperparameters(values: dict[str, Any]) -> Hyperparameters:
    """Build the hyper-parameters from keyword arguments. The same arguments are checked only once.

    Raises:
        TypeError: If a name is unknown, or a value has the wrong type.
        ValueError: If a value is out of range.
    """
    # Neither lists nor errors can be cached. The second call raises an error without the traceback of the first.
    with suppress(TypeError):
        return _build_cached(**values)
    return _build(**values)


def _build(**values: Any) -> Hyperparameters:
    names = [field.name for field in fields(Hyperparameters)]
    for name in values:
        if name not in names:
            raise TypeError(
                f"Hyper-parameters must be among {', '.join(names)}, found {name!r}. Use one of these names. Pass a "
                "seed as `generator`, and the options of the callback to CoMixup itself."
            )
    return Hyperparameters(**values)


# The cache distinguishes types: 1 and True are equal, but True is not a count.
_build_cached = lru_cache(maxsize=64, typed=True)(_build)

"""Groups for property tests of `optimize_masks`, with extreme data costs, compatibilities, priors and starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.robustness.strategies import MAGNITUDES, hyperparameters, values

_DTYPES: list[Any] = [np.float64, np.float32, np.float16, np.int64, np.int8, np.bool_]
_START_DTYPES: list[Any] = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
_MATRICES = ["identity", "zero", "constant", "asymmetric", "negative", "huge", "spread"]
_SHAPE_PARAMETERS = {"grid_size", "partition_size", "compatibility_window", "compatibility_stride"}


@dataclass(frozen=True)
class Group:
    """The arguments of `optimize_masks`. The arrays are read-only, so a solver that writes to them raises an error."""

    unary: NDArray[Any]
    compatibility: NDArray[Any]
    prior: NDArray[Any] | None
    initial_labeling: NDArray[Any] | None
    hyperparameters: dict[str, Any]

    def arguments(self) -> dict[str, Any]:
        named = ("unary", "compatibility", "prior", "initial_labeling")
        return {name: getattr(self, name) for name in named} | self.hyperparameters


def _matrix(draws: np.random.Generator, inputs: int, kind: str) -> NDArray[np.float64]:
    noise = draws.random((inputs, inputs))
    made = {
        "identity": np.eye(inputs),
        "zero": np.zeros((inputs, inputs)),
        "constant": np.ones((inputs, inputs)),
        "asymmetric": noise,
        "negative": noise - 0.5,
        "huge": noise * 1e80,  # with the largest weight, energies are still within range
        "spread": 10.0 ** (12 * noise - 6),  # sums of these need about the 15 digits of double precision
    }
    return made[kind]


def _prior(draws: np.random.Generator, inputs: int, kind: str) -> NDArray[np.float64] | None:
    if kind == "missing":
        return None
    if kind == "draw":
        return draws.dirichlet(np.full(inputs, 2.0))
    return np.eye(inputs)[0] if kind == "one" else np.zeros(inputs)


def _start(draws: np.random.Generator, shape: tuple[int, ...], inputs: int, kind: str, dtype: Any) -> Any:
    if kind == "missing":
        return None
    labels = draws.integers(0, inputs, size=shape) if kind == "random" else np.full(shape, inputs - 1)
    return labels.astype(dtype)


def _as(array: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
    """Return the array in a dtype, clipped to its range."""
    if dtype == np.bool_:
        return array > 0
    limits = np.finfo(dtype) if np.issubdtype(dtype, np.floating) else np.iinfo(dtype)
    # Stay below the largest int64, which float64 cannot represent.
    return np.clip(array, float(limits.min), float(limits.max) * (1 - 1e-3)).astype(dtype)


def _frozen(array: Any, order: Any) -> Any:
    if array is not None:
        array = np.array(array, order=order)
        array.flags.writeable = False
    return array


@st.composite
def groups(draw: st.DrawFn, most: int = 24, most_cells: int = 64, outputs: int | None = None) -> Group:
    """Draw the arguments of `optimize_masks`. If `outputs` is given, they include a start with this many outputs."""
    inputs, dimensions = draw(st.integers(1, most)), draw(st.integers(1, 3))
    side = int(most_cells ** (1 / dimensions) + 1e-9)
    grid = tuple(draw(st.integers(1, side)) for _ in range(dimensions))
    draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    unary = values(draws, (inputs, *grid), draw(st.sampled_from(MAGNITUDES)))
    sign = draw(st.sampled_from(["negative", "mixed"]))
    unary = unary * draws.choice([-1, 1], size=unary.shape) if sign == "mixed" else -unary
    unary = _as(unary * draw(st.sampled_from([1.0, 1.0, 1e-200, 1e200])), draw(st.sampled_from(_DTYPES)))
    matrix = _matrix(draws, inputs, draw(st.sampled_from(_MATRICES)))
    prior = _prior(draws, inputs, draw(st.sampled_from(["draw", "one", "zeros", "missing"])))
    kind = draw(st.sampled_from(["random", "alike"] if outputs else ["random", "alike", "missing"]))
    shape = (outputs or int(draws.integers(1, 9)), *grid)
    start = _start(draws, shape, inputs, kind, draw(st.sampled_from(_START_DTYPES)))
    order = draw(st.sampled_from("CF"))
    chosen = {name: value for name, value in draw(hyperparameters(grid)).items() if name not in _SHAPE_PARAMETERS}
    unary, matrix, prior, start = (_frozen(array, order) for array in (unary, matrix, prior, start))
    return Group(unary, matrix, prior, start, chosen)

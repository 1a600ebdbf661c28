"""The problem of one group and its solution, in the form that the solvers use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters

# How much less a half label costs than the mean of its two inputs (the authors' value; the paper does not explain it).
HALF_LABEL_BONUS = 5e-4
# The sweeps of "pygco" stop when the relative change in energy is below this (the authors' value).
ENERGY_TOLERANCE = 1e-6

_START_REMEDY = "Give each cell of each output the index of an input, or leave it None to have it drawn."


@dataclass(frozen=True)
class Problem:
    """The problem for a solver: minimise `lightning_comixup.energy` over the masks of one group."""

    unary: NDArray[np.floating[Any]]  # (N, *grid) without the prior
    compatibility: NDArray[np.floating[Any]]  # (N, N)
    prior: NDArray[np.floating[Any]]  # (N,) the Dirichlet draw
    starts: NDArray[np.integer[Any]]  # (restarts, M, *grid) labelings to start from
    hyperparameters: Hyperparameters


class Labeling(NamedTuple):
    """The solution of a solver: the two inputs that each cell of each output averages, often the same one twice."""

    first: NDArray[np.int32]  # (M, *grid)
    second: NDArray[np.int32]  # (M, *grid), never below `first`
    energy: float
    over_capacity: int  # number of outputs with an input that the others use beyond the capacity τ·S


def labeling_to_masks(labeling: Labeling, inputs: int) -> NDArray[np.float32]:
    """Return the mixing masks: (M, N, *grid), values 0, ½ and 1, summing to 1 over the inputs."""
    outputs, grid = labeling.first.shape[0], labeling.first.shape[1:]
    masks = np.zeros((outputs, inputs, *grid), np.float32)
    flat, cells = masks.reshape(-1), labeling.first[0].size
    own = (np.arange(outputs) * (inputs * cells)).reshape(-1, 1) + np.arange(cells)
    flat[own + labeling.first.reshape(outputs, cells) * cells] = 0.5
    flat[own + labeling.second.reshape(outputs, cells) * cells] += 0.5
    return masks


def check_shapes(
    unary: NDArray[Any], compatibility: NDArray[Any], prior: NDArray[Any] | None, start: NDArray[Any] | None = None
) -> None:
    """Check that the parts of a problem fit each other.

    Raises:
        ValueError: If they do not.
        TypeError: If the start is not integer.
    """
    shape = unary.shape
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"unary must be (N, *grid) with at least one input and one cell: found shape {shape}. Give one map of "
            "costs per input."
        )
    for name, array, expected in (("compatibility", compatibility, (shape[0],) * 2), ("prior", prior, shape[:1])):
        if array is not None and array.shape != expected:
            raise ValueError(
                f"{name} must have the shape {expected} for the {shape[0]} inputs of the unary: found {array.shape}. "
                "Give both for the same inputs."
            )
    if start is None:
        return
    if start.dtype.kind not in "iu":
        raise TypeError(f"initial_labeling must contain input indices, found dtype {start.dtype}. {_START_REMEDY}")
    if start.shape[1:] != shape[1:] or start.shape[0] < 1:
        raise ValueError(
            f"initial_labeling must be (M, *grid) for a grid of {shape[1:]}: found shape {start.shape}. {_START_REMEDY}"
        )


def check_values(
    unary: NDArray[Any], compatibility: NDArray[Any], prior: NDArray[Any] | None, starts: NDArray[Any] | None = None
) -> None:
    """Check that the numbers of a problem are finite, the prior is not negative and the starts are indices.

    Raises:
        ValueError: If they are not.
    """
    for name, array in (("unary", unary), ("compatibility", compatibility), ("prior", prior)):
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, found NaN or infinity. Check the saliency it comes from.")
    if prior is not None and prior.min() < 0:
        raise ValueError(f"prior must not be negative, found {prior.min()}. Give a draw from a Dirichlet distribution.")
    if starts is not None and (starts.min() < 0 or starts.max() >= len(unary)):
        raise ValueError(
            f"initial_labeling must contain indices of the {len(unary)} inputs: found {starts.min()} to "
            f"{starts.max()}. {_START_REMEDY}"
        )


def as_numbers(name: str, values: object) -> NDArray[Any]:
    """Return real numbers as an array.

    Args:
        name: What the error message calls them.
        values: An array, nested lists, or a tensor on the host without a graph.

    Raises:
        TypeError: If they are not real numbers of at most 64 bits.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of unequal lengths, or tensors that NumPy cannot read
        raise TypeError(
            f"{name} must be an array of real numbers, found {type(values).__name__} that NumPy cannot read "
            f"({error}). If it is a tensor, pass `.detach().cpu().numpy()`."
        ) from error
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > np.dtype(np.float64).itemsize:
        raise TypeError(
            f"{name} must be an array of real numbers, found {type(values).__name__} of dtype {array.dtype}. Convert "
            "it with `numpy.asarray(..., float)`."
        )
    return array

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lightning_comixup.hyperparameters import Hyperparameters, make_hyperparameters


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("alpha", 0, ValueError, "alpha must be above 0, found 0"),
        ("alpha", "2", TypeError, "alpha must be a number, found '2'"),
        ("alpha", float("nan"), ValueError, "finite"),
        ("smoothness", -1.0, ValueError, "at least 0, found -1"),
        ("smoothness", float("inf"), ValueError, "finite"),
        ("compatibility_weight", 1.5, ValueError, "from 0 to 1, found 1.5"),
        ("grid_size", 0, ValueError, "at least 1, found 0"),
        ("grid_size", (4, -2), ValueError, "found -2"),
        ("grid_size", (), ValueError, "at least one side"),
        ("grid_size", "rand", ValueError, "'random', found 'rand'"),
        ("grid_size", 4.0, TypeError, "integer"),
        ("partition_size", 0, ValueError, "partition_size"),
        ("sweeps", True, TypeError, "sweeps must be an integer"),
        ("restarts", 0, ValueError, "restarts"),
        ("sweeps", 2**63, ValueError, "sweeps must be an integer that fits 64 bits, found one of 64 bits"),
        ("diversity", 10**400, ValueError, "diversity must be a finite number, at least 0, found inf"),
        ("thresholding", "firm", ValueError, "'hard', 'soft', found 'firm'"),
        ("solver", "gurobi", ValueError, "'exact', 'pygco', found 'gurobi'"),
        ("resolve_duplicates", 1, TypeError, "True or False"),
    ],
)
def test_bad_values_are_named(name: str, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_hyperparameters({name: value})


def test_unknown_names_are_named_with_those_known() -> None:
    with pytest.raises(TypeError, match=r"Unknown hyper-parameter 'beta'.*smoothness"):
        make_hyperparameters({"beta": 0.3})


def test_a_list_of_sides_counts_as_a_tuple() -> None:
    assert make_hyperparameters({"grid_size": [4, 2]}) == Hyperparameters(grid_size=(4, 2))


def test_numbers_of_numpy_become_plain_ones() -> None:
    """In their own width, weights that fit would overflow when they are multiplied."""
    found = make_hyperparameters({"diversity": np.float32(1e38), "sweeps": np.int8(3)})
    assert type(found.diversity) is float
    assert type(found.sweeps) is int
    assert found.diversity == float(np.float32(1e38))

from __future__ import annotations

import pytest

from lightning_comixup.hyperparameters import Hyperparameters, make_hyperparameters


def test_a_list_of_sides_counts_as_a_tuple() -> None:
    assert make_hyperparameters({"grid_size": [4, 2]}) == Hyperparameters(grid_size=(4, 2))


def test_values_that_are_equal_but_of_another_type_are_checked_too() -> None:
    assert make_hyperparameters({"sweeps": 1}).sweeps == 1
    with pytest.raises(TypeError, match="sweeps must be an integer"):
        make_hyperparameters({"sweeps": True})

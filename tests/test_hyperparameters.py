from __future__ import annotations

from lightning_comixup.hyperparameters import Hyperparameters, make_hyperparameters


def test_a_list_of_sides_counts_as_a_tuple() -> None:
    assert make_hyperparameters({"grid_size": [4, 2]}) == Hyperparameters(grid_size=(4, 2))

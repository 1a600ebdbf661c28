from __future__ import annotations

from typing import Any

import pytest

from lightning_comixup import CoMixup


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"clean_weight": -1}, ValueError, "clean_weight must be a finite number, at least 0"),
        ({"prob": 1.5}, ValueError, "prob must be a finite number, from 0 to 1, found 1.5"),
        ({"start_epoch": -1}, ValueError, "start_epoch"),
        ({"start_epoch": 3, "stop_epoch": 1}, ValueError, "stop_epoch must be after start_epoch, found 1 and 3"),
        ({"seed": 1.5}, TypeError, "seed must be an integer"),
        ({"log": 1}, TypeError, "log must be True or False"),
        ({"linear_targets": "yes"}, TypeError, "linear_targets must be True or False"),
        ({"also_mix": [1.5]}, TypeError, "also_mix must be an index"),
        ({"saliency": 3}, TypeError, "saliency must be a function"),
        ({"clean_gradient": "adjoint"}, ValueError, "clean_gradient must be one of"),
        ({"stop_epoch": "3"}, TypeError, "stop_epoch must be an integer"),
        ({"num_classes": 0}, ValueError, "num_classes"),
        ({"input_key": 1.5}, TypeError, "input_key must be an index, a key, a path of them, or a"),
        ({"input_key": []}, TypeError, "input_key"),
        ({"target_key": (1, None)}, TypeError, "target_key"),
        ({"on_nonfinite": "ignore"}, ValueError, "'raise', 'skip', found 'ignore'"),
        ({"solver": "cplex"}, ValueError, "solver must be one of"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_settings_are_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CoMixup(**arguments)

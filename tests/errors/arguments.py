"""Wrong arguments for `CoMixup`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lightning_comixup import Edges, LowResolution
from tests.errors.table import Row

_NAN, _INFINITE = float("nan"), float("inf")


def _row(name: str, value: Any, error: type[Exception], rule: str, remedy: str, found: str | None = None) -> Row:
    return Row("CoMixup", {name: value}, error, rule, repr(value) if found is None else found, remedy)


_SIDES = 'Give an int, a tuple of one int per dimension, or "random".'

_COUNTS = {"partition_size": 20, "compatibility_window": 8, "compatibility_stride": 1, "sweeps": 4, "restarts": 1}
_NUMBERS = {"smoothness": 0.32, "diversity": 1.0, "penalty_threshold": 0.83, "prior_weight": 0.05}

# For every function that has hyper-parameters.
HYPERPARAMETERS = [
    *(
        _row(name, value, TypeError, f"{name} must be an integer of at least 1", f"the default, {default}.")
        for name, default in _COUNTS.items()
        for value in (None, "3", True, 2.5, [2], torch.tensor(3))
    ),
    *(
        _row(name, value, ValueError, f"{name} must be an integer of at least 1", "Leave it out for the default")
        for name in _COUNTS
        for value in (0, -1)
    ),
    *(
        _row(name, value, error, f"{name} must be a finite number, at least 0", f"the default, {default}.")
        for name, default in _NUMBERS.items()
        for value, error in [
            (None, TypeError),
            ("2", TypeError),
            (True, TypeError),
            (1j, TypeError),
            (-1, ValueError),
            (_NAN, ValueError),
            (_INFINITE, ValueError),
        ]
    ),
    *(
        _row("alpha", value, error, "alpha must be a finite number above 0", "set prior_weight=0.")
        for error, values in [
            (TypeError, (None, "2", True, 1j, torch.tensor(2.0))),
            (ValueError, (0, 0.0, -1, _NAN, _INFINITE, 10**400)),
        ]
        for value in values
    ),
    _row("compatibility_weight", 1.5, ValueError, "must be a finite number, from 0 to 1", "default, 0.001."),
    _row("compatibility_weight", "0", TypeError, "must be a finite number, from 0 to 1", "default, 0.001."),
    *(
        _row("grid_size", value, TypeError, "grid_size must be an integer of at least 1", _SIDES)
        for value in (None, 4.0, True, {2})
    ),
    _row("grid_size", (4, "4"), TypeError, "grid_size must be an integer", _SIDES, "'4'"),
    _row("grid_size", (4, -2), ValueError, "grid_size must be an integer", _SIDES, "-2"),
    _row("grid_size", 0, ValueError, "grid_size must be an integer of at least 1", _SIDES),
    _row("grid_size", (), ValueError, "grid_size must name at least one side", _SIDES),
    _row("grid_size", "rand", ValueError, "grid_size must be one of 'random'", _SIDES),
    _row("thresholding", "firm", ValueError, "thresholding must be one of 'hard', 'soft'", "default, 'hard'."),
    _row("thresholding", ["hard"], ValueError, "thresholding must be one of 'hard', 'soft'", "default, 'hard'."),
    _row("solver", "gurobi", ValueError, "solver must be one of 'descent', 'pygco'", "default, 'descent'."),
    _row("resolve_duplicates", 1, TypeError, "resolve_duplicates must be True or False", "default, True."),
]


def _twice(settings: dict[str, Any], found: str) -> Row:
    return Row("CoMixup", settings, ValueError, "must be named once", found, "Leave one of them out.")


_COUNT, _LIST = "must be an integer of at least", "must be a list of keys"

SETTINGS = [
    _row("num_classes", 0, ValueError, f"num_classes {_COUNT} 1", "Leave it None if the logits"),
    _row("num_classes", "10", TypeError, f"num_classes {_COUNT} 1", "Leave it None if the logits"),
    _row("clean_loss", "step", ValueError, "clean_loss must be one of 'auto'", 'Use "training_step" for'),
    _row(
        "mixed_share", 0, ValueError, "mixed_share must be a finite number above 0", "To mix fewer batches, lower prob"
    ),
    _row("mixed_share", 1.1, ValueError, "mixed_share must be a finite number, from 0 to 1", "Use 1 to mix all groups"),
    _row("mixed_share", "half", TypeError, "mixed_share must be a finite number above 0", "Use 1 to mix all groups"),
    _row("clean_weight", -1, ValueError, "clean_weight must be a finite number, at least 0", "or 0 for the saliency"),
    _row("clean_weight", None, TypeError, "clean_weight must be a finite number, at least 0", "or 0 for the saliency"),
    _row("prob", 1.5, ValueError, "prob must be a finite number, from 0 to 1", "Use 1 to mix every batch."),
    _row("prob", _NAN, ValueError, "prob must be a finite number, from 0 to 1", "Use 1 to mix every batch."),
    _row("start_epoch", -1, ValueError, f"start_epoch {_COUNT} 0", "Use 0 to mix from the first epoch."),
    _row("start_epoch", None, TypeError, f"start_epoch {_COUNT} 0", "Use 0 to mix from the first epoch."),
    _row("stop_epoch", "3", TypeError, f"stop_epoch {_COUNT} 0", "Leave it None to mix up to the end."),
    _row("stop_epoch", 0, ValueError, "stop_epoch must be after start_epoch", "Leave stop_epoch=None", "0 and 0"),
    _row("input_key", 1.5, TypeError, "input_key must be an index, a key, a path", "for dicts the key"),
    _row("input_key", [], TypeError, "input_key must be an index, a key, a path", "for dicts the key"),
    _row("target_key", (1, None), TypeError, "target_key must be an index, a key, a path", "for dicts the key"),
    _row("target_key", True, TypeError, "target_key must be an index, a key, a path", "for dicts the key"),
    _twice({"input_key": 0, "target_key": 0}, "0 twice"),
    _row("channel_dim", 0, ValueError, "channel_dim must not be the batch dimension", "None for inputs without"),
    _row("channel_dim", "last", TypeError, "channel_dim must be an integer or None", "-1 for (B, *spatial, C)"),
    _row("channel_dim", True, TypeError, "channel_dim must be an integer or None", "-1 for (B, *spatial, C)"),
    _row("also_mix", "depth", TypeError, f"also_mix {_LIST}", "Write also_mix=[...]"),
    _row("also_mix", None, TypeError, f"also_mix {_LIST}", "Write also_mix=[...]"),
    _row("also_mix", [1.5], TypeError, "also_mix must be an index", "for dicts the key", "1.5"),
    _twice({"input_key": 0, "also_mix": [0]}, "0 twice"),
    _row("also_average", 2, TypeError, f"also_average {_LIST}", "Write also_average=[...]"),
    _row("also_average", {"a": "20"}, TypeError, f"classes of 'a' in also_average {_COUNT} 1", "Use None for", "'20'"),
    _row(
        "also_average",
        {"a": {"b": 0}},
        ValueError,
        f"classes of ('a', 'b') in also_average {_COUNT} 1",
        "Use None",
        "0",
    ),
    _row("also_average", {1.5: 3}, TypeError, "also_average must be an index", "for dicts the key", "1.5"),
    _twice({"target_key": 1, "also_average": [1]}, "1 twice"),
    _twice({"target_key": ["a", "b"], "also_average": {"a": {"b": 3}}}, "('a', 'b') twice"),
    _row("linear_targets", "yes", TypeError, "linear_targets must be True or False", "or leave it out."),
    _row("ignore_index", 0.5, TypeError, "ignore_index must be an integer", "Leave it None to use that of the loss."),
    _row("saliency", 3, TypeError, "saliency must be a function of (module, inputs, targets)", "Leave it None for"),
    _row("saliency", nn.Identity, TypeError, "saliency must be a function of", "Leave it None for"),
    _row("saliency", Edges, TypeError, "saliency must be a function of", "Leave it None for"),
    _row("saliency", LowResolution(2), ValueError, "must be 0 with LowResolution(factor=2)", "clean_weight=0", "1.0"),
    _row("seed", 1.5, TypeError, f"seed {_COUNT} 0", "Leave it None to use the seed of seed_everything."),
    _row("seed", -1, ValueError, f"seed {_COUNT} 0", "Leave it None to use the seed of seed_everything."),
    _row("log", 1, TypeError, "log must be True or False", "Use False to log nothing."),
    _row("log_images_every", 0, ValueError, f"log_images_every {_COUNT} 1", "Leave it None for no pictures."),
    _row("log_images_every", 2.5, TypeError, f"log_images_every {_COUNT} 1", "Leave it None for no pictures."),
    _row("images_folder", 3, TypeError, "images_folder must be a path", "Leave it None to use the loggers."),
    _row(
        "images_folder",
        __file__,
        ValueError,
        "images_folder must be a folder",
        "Name another",
        f"the file {__file__!r}",
    ),
    _row(
        "images_folder",
        f"{__file__}/a/b",
        ValueError,
        "must be a folder",
        "to use the loggers.",
        f"the file {__file__!r}",
    ),
    _row("images_folder", "~nobody-here/x", ValueError, "must begin with the home of an existing user", "the loggers."),
    _row("on_nonfinite", "ignore", ValueError, "on_nonfinite must be one of 'raise', 'skip'", '"skip" to go on'),
    _row("clean_gradient", "adjoint", ValueError, "clean_gradient must be one of 'grad', 'backward'", 'Use "grad"'),
    _row("manual_optimization", None, TypeError, "manual_optimization must be True or False", "Use True if the module"),
]

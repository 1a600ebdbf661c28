"""The benchmarks at their smallest size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.__main__ import TABLES, parse
from benchmarks.batch import batch_rows
from benchmarks.callback_cost import callback_rows
from benchmarks.curve import curve_rows
from benchmarks.data import CLASSES, make_saliency
from benchmarks.effects import describe, effect_rows, like_neighbours, mean_overlap
from benchmarks.reference import Reference, load_reference
from benchmarks.run import markdown, measures_of
from benchmarks.saliencies import Case, cases, saliency_rows
from benchmarks.solver import growth_rows, make_problems, solver_rows
from benchmarks.step import Training, step_rows
from benchmarks.step_module import Floor, Lit, make_resnet, make_resnet50
from benchmarks.timing import time_in_turn
from lightning_comixup import CoMixup
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.problem import Problem
from tests.tiny import fit, largest_difference


def _identity(problem: Problem) -> Any:
    inputs, grid = problem.unary.shape[0], problem.unary.shape[1:]
    masks = np.zeros((inputs, inputs, *grid), np.float32)
    masks[np.arange(inputs), np.arange(inputs)] = 1
    return masks


_REFERENCE = Reference("every input by itself", _identity, None)


def test_ways_are_timed_in_turn() -> None:
    calls: list[tuple[str, int]] = []
    times = time_in_turn({"a": lambda i: calls.append(("a", i)), "b": lambda i: calls.append(("b", i))}, 3)
    assert calls == [(name, index) for index in (0, 0, 1, 2) for name in ("a", "b")]
    assert all(found.median > 0 for found in times.values())


@pytest.mark.slow
def test_the_solver_is_compared_by_energy_and_time() -> None:
    rows = solver_rows(_REFERENCE, 3, grids=(8,))
    assert [row["saliency"] for row in rows] == ["recorded", "digits"]
    for row in rows:
        assert row["our energy"] < row["reference energy"]
        assert row["not worse %"] > 0
        assert 0 <= row["above capacity %"] < 5


@pytest.mark.slow
def test_the_curve_has_each_way() -> None:
    rows = curve_rows(_REFERENCE, 1)  # more starts include the fewer ones, but not the starts shifted from them
    assert [row["way"] for row in rows][-2:] == ["16 starts", "every input by itself"]
    starts = {row["way"]: row["energy"] for row in rows}
    assert starts["16 starts"] <= starts["4 starts"] <= starts["1 starts"] == starts["4 sweeps"]


def test_overlap_and_smoothness_of_masks() -> None:
    masks = np.zeros((2, 3, 2, 2), np.float32)
    masks[0, 0, :, 0] = masks[0, 1, :, 1] = 1  # two columns, so two of the four borders are between unlike cells
    masks[1, 0] = 0.5
    masks[1, 2] = 0.5
    assert like_neighbours(masks) == 6 / 8
    assert mean_overlap(masks.reshape(2, 3, 4).mean(2)) == 0.5


def test_smoothness_has_an_effect() -> None:
    rough, smooth = (describe(make_problems(4, 2, smoothness=value)) for value in (0.16, 1.0))
    assert rough["inputs per output"] > smooth["inputs per output"]
    assert rough["saliency kept"] > smooth["saliency kept"] > 0.99
    assert rough["like neighbours %"] < smooth["like neighbours %"] <= 100


@pytest.mark.slow
def test_the_defaults_are_among_the_values_of_each_hyperparameter() -> None:
    rows = effect_rows(1)[1:]  # without the recorded groups
    at_default = [row for row in rows if row["value"] == getattr(Hyperparameters, row["hyper-parameter"])]
    assert len(at_default) == len({row["hyper-parameter"] for row in rows})
    assert len({row["energy"] for row in at_default}) == 1


@pytest.mark.slow
def test_the_graph_cuts_are_the_reference_without_a_checkout() -> None:
    reference = load_reference(None)
    row = solver_rows(reference, 2, grids=(2,))[-1]
    assert "pygco" in reference.name
    assert row["reference ms"] > row["ours ms"]


def test_a_checkout_without_the_authors_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--reference", str(tmp_path)])
    assert "--reference: must be a checkout of the authors' repository, found" in capsys.readouterr().err
    (tmp_path / "match.py").touch()
    assert parse(["--reference", str(tmp_path)]).reference == tmp_path


@pytest.mark.slow
def test_batches_and_groups_of_several_sizes() -> None:
    threads = torch.get_num_threads()
    rows = batch_rows(_REFERENCE, sizes=(20, 40))
    torch.set_num_threads(threads)
    assert [row["images"] for row in rows] == [20, 40]
    assert [row["inputs"] for row in growth_rows((3, 6))] == [3, 6]


def test_saliency_is_real() -> None:
    saliency = make_saliency(20)
    assert saliency.shape == (20, 32, 32)
    assert bool((saliency >= 0).all())
    assert len(torch.unique(saliency[0])) > 100


@pytest.mark.slow
def test_the_floor_is_the_callbacks_step_without_mixing() -> None:
    """Without mixing, both passes see the clean batch, so the step is the sum of two equal gradients."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = [make_resnet() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    modules = Floor(networks[0]), Lit(networks[1])
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    data = DataLoader(TensorDataset(images, torch.arange(4)), batch_size=4)
    fit(modules[0], CoMixup(prob=0), loader=data, max_epochs=1)
    fit(modules[1], CoMixup(seed=0, partition_size=1, num_classes=10), loader=data, max_epochs=1)
    assert largest_difference(*modules) < 1e-6


def test_the_floor_computes_as_the_callback_does() -> None:
    """Hooks do not run under autocast by default."""
    found: dict[str, list[torch.dtype]] = {}
    for kind, callbacks in ((Floor, [CoMixup(prob=0)]), (Lit, [CoMixup(seed=0)])):
        module = kind(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, CLASSES)))
        seen = found.setdefault(kind.__name__, [])
        module.network.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output.dtype))
        data = DataLoader(TensorDataset(torch.rand(4, 3, 8, 8), torch.arange(4)), batch_size=4)
        fit(module, *callbacks, loader=data, max_epochs=1, precision="bf16-mixed")
    assert found["Floor"] == found["Lit"] == [torch.bfloat16] * 2


def test_each_way_takes_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, CLASSES))

    tiny = Training("tiny", network, side=8, batch=4, precision="32-true", steps=3, rounds=2, warm_up=1)
    monkeypatch.setattr("benchmarks.step.trainings", lambda accelerator: [tiny])
    rows = {row["way"]: row for row in step_rows(_REFERENCE)}
    assert {"plain", "floor: two passes", "Co-Mixup", "Co-Mixup, clean_weight=0"} <= set(rows)
    assert rows["plain"]["of plain"] == rows["floor: two passes"]["of floor"] == 1
    assert rows["Co-Mixup"]["of plain"] > 1


def test_each_saliency_takes_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(3 * 4, CLASSES))

    tiny = Training("tiny", network, side=8, batch=4, precision="32-true", steps=3, rounds=2, warm_up=1)
    monkeypatch.setattr("benchmarks.saliencies.cases", lambda accelerator: [Case(tiny, 2)])
    rows = {row["way"]: row for row in saliency_rows()}
    assert len(rows) == 7
    assert all(row["of plain"] > 1 and row["ms"] > 0 for row in rows.values())
    assert "half mixed, LowResolution(factor=4)" in rows


@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
def test_every_batch_has_an_even_number_of_groups(accelerator: str) -> None:
    for training, partition_size in cases(accelerator):
        assert training.batch % (2 * partition_size) == 0


def test_the_resnet_50_has_its_parameters() -> None:
    """The usual ResNet-50 has 25,557,032 parameters for 1,000 classes. Here the last layer is smaller."""
    found = sum(parameter.numel() for parameter in make_resnet50().parameters())
    assert found == 25_557_032 - (2048 + 1) * (1000 - CLASSES)
    assert make_resnet50().eval()(torch.rand(1, 3, 64, 64)).shape == (1, CLASSES)


@pytest.mark.slow
def test_the_callbacks_own_time_by_phases() -> None:
    """Every timed function exists and is called."""
    rows = callback_rows(steps=2, resnet_steps=1)
    phases = {row["phase"]: row for row in rows}
    for name in ("small network ms", "ResNet-18 ms"):
        own = {phase: row[name] for phase, row in phases.items() if phase not in ("all of these", "kernels")}
        assert all(value > 0 for value in own.values())
        assert max(own.values()) < phases["all of these"][name] < phases["kernels"][name] + sum(own.values())


def test_tables() -> None:
    found = markdown([{"a": 1.23456, "b": "x"}, {"a": 1234.5, "c": 2}])
    assert found.splitlines() == ["| a | b | c |", "|---|---|---|", "| 1.23 | x |  |", "| 1234 |  | 2 |"]


def test_every_table_has_its_name() -> None:
    assert tuple(measures_of(parse([]), _REFERENCE)) == TABLES

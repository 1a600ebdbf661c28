"""The step on a GPU, compared with the hand-written loop."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from lightning_comixup import CoMixup, SoftTargetAccuracy
from tests.gpu.loop import DEVICE, fit_on_gpu, replay_on_gpu
from tests.tiny import CLASSES, Tiny, largest_difference, make_network


def _run(module: Tiny, clean_weight: float = 1.0, precision: Any = "32-true", **settings: Any) -> float:
    """Train with deterministic algorithms only, and return the largest difference from the loop."""
    start = copy.deepcopy(module)
    callback = CoMixup(seed=0, clean_weight=clean_weight)
    fit_on_gpu(module, callback, precision=precision, deterministic=True, **settings)
    assert all(mixed.device.type == "cuda" for mixed, _ in module.seen)
    assert largest_difference(module, start) > 1e-3
    return largest_difference(module.to(DEVICE), replay_on_gpu(start, module.seen, clean_weight, precision))


@pytest.mark.parametrize("clean_weight", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("kind", ["ce", "bce"])
def test_parameters_and_buffers_match_the_loop_bit_for_bit(clean_weight: float, kind: str) -> None:
    class Module(Tiny):
        comixup_loss_kind = kind  # type: ignore[assignment]

    assert _run(Module(), clean_weight) == 0


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_precisions(precision: str) -> None:
    assert _run(Tiny(), precision=precision) == 0


@pytest.mark.parametrize("init_scale", [2.0**10, 2.0**40])
def test_float16_with_a_grad_scaler(init_scale: float) -> None:
    """With the second scale, the first steps overflow and are skipped, and the scale is lowered."""

    def scaler() -> torch.amp.GradScaler:
        return torch.amp.GradScaler("cuda", init_scale=init_scale, backoff_factor=2.0**-8)

    module, own = Tiny(), scaler()
    start = copy.deepcopy(module)
    plugin = MixedPrecision("16-mixed", "cuda", scaler())
    fit_on_gpu(module, CoMixup(seed=0), plugins=[plugin], deterministic=True)
    reference = replay_on_gpu(start, module.seen, precision="16-mixed", scaler=own)
    assert largest_difference(module.to(DEVICE), reference) == 0
    assert plugin.scaler is not None
    assert plugin.scaler.get_scale() == own.get_scale()
    assert (own.get_scale() < init_scale) == (init_scale > 2.0**20)


@pytest.mark.parametrize(
    "settings",
    [{"strategy": "ddp"}, {"strategy": "ddp_find_unused_parameters_true"}, {"strategy": "ddp", "sync_batchnorm": True}],
    ids=str,
)
def test_one_process_of_nccl(settings: dict[str, Any]) -> None:
    assert _run(Tiny(), use_distributed_sampler=False, **settings) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_a_compiled_network(mode: str, clean_weight: float) -> None:
    """With "reduce-overhead", CUDA graphs overwrite earlier results with later ones."""
    network = make_network()
    module = Tiny(network)
    start = copy.deepcopy(module)
    module.network = torch.compile(network, mode=mode)
    fit_on_gpu(module, CoMixup(seed=0, clean_weight=clean_weight))
    module.network = network
    assert largest_difference(module.to(DEVICE), replay_on_gpu(start, module.seen, clean_weight)) < 1e-5


def test_channels_last() -> None:
    class Permuted(Tiny):
        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            return [batch[0].to(memory_format=torch.channels_last), batch[1]]

    assert _run(Permuted().to(memory_format=torch.channels_last)) < 1e-6


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_recurrent_layers_of_cudnn(clean_weight: float) -> None:
    """cuDNN's recurrent layers have no backward pass in eval mode."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(8, 16, batch_first=True)
            self.head = nn.Linear(16, CLASSES)

        def forward(self, inputs: Tensor) -> Tensor:
            logits: Tensor = self.head(self.layer(inputs.squeeze(1))[0][:, -1])
            return logits

    assert _run(Tiny(Recurrent()), clean_weight) < 1e-6


def test_pictures_and_metrics(tmp_path: Path) -> None:
    class Watched(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.accuracy = SoftTargetAccuracy()

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            inputs, targets = batch
            logits = self(inputs)
            self.log("accuracy", self.accuracy(logits, targets))
            return self.comixup_loss(logits, targets)

    trainer = fit_on_gpu(Watched(), CoMixup(seed=0, log_images_every=4, images_folder=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    assert 0 <= float(trainer.callback_metrics["accuracy"]) <= 1
    assert trainer.callback_metrics["comixup/over_capacity_share"] == 0

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from examples.evaluation.network import load_network, predict
from tests.evaluation.digits import Lit
from tests.evaluation.tiny import make_source
from tests.tiny import make_trainer

_CPU = torch.device("cpu")


def load_linear(checkpoint: Path, classes: int = 2) -> nn.Module:
    """Load a network that is not a LightningModule."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, classes))
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    return network


def load_nothing(checkpoint: Path) -> Any:
    return {"weights": checkpoint}


def test_a_lightning_module(tmp_path: Path) -> None:
    module, trainer = Lit(width=3), make_trainer()
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    arguments = {"weights_only": False}
    network = load_network("tests.evaluation.digits.Lit", tmp_path / "last.ckpt", arguments, _CPU)
    assert isinstance(network, Lit)
    assert not network.training
    assert torch.equal(network.out.weight, module.out.weight)


def test_a_function(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    module = "tests.evaluation.test_network.load_linear"
    loaded = load_network(module, tmp_path / "weights.pt", {"classes": 3}, _CPU)
    images, targets = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(5) % 3
    found = predict(loaded, make_source(images, targets).batches())
    torch.testing.assert_close(found.logits, network(images).detach())
    assert torch.equal(found.targets, targets)
    assert torch.equal(found.is_right, found.logits.argmax(1) == targets)


def test_an_object_that_is_not_a_network(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"load_nothing must load a torch\.nn\.Module, found dict"):
        load_network("tests.evaluation.test_network.load_nothing", tmp_path, {}, _CPU)


@pytest.mark.parametrize(
    ("output", "found"),
    [(lambda x: x, r"\(2, 3, 2, 2\)"), (lambda x: x[:, :1, 0, 0], r"\(2, 1\)"), (lambda x: (x, x), "tuple")],
)
def test_outputs_that_are_not_logits(output: Any, found: str) -> None:
    class Other(nn.Module):
        def forward(self, images: Tensor) -> Any:
            return output(images)

    batches = make_source(torch.zeros(2, 3, 2, 2), torch.zeros(2, dtype=torch.long)).batches()
    with pytest.raises(TypeError, match=rf"must return \(B, K\) logits of at least 2 classes, found {found}"):
        predict(Other(), batches)


def test_no_images() -> None:
    with pytest.raises(ValueError, match="must be images to predict"):
        predict(nn.Identity(), [])

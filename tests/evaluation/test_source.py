from __future__ import annotations

from typing import Any

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from examples.evaluation.source import Source, open_source
from tests.evaluation.tiny import make_source

_IMAGES, _TARGETS = torch.randn(5, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(5)


class Files(Dataset[Any]):
    """A data set that lists its files in the same way as torchvision's image folders."""

    samples = (("b/1.png", 0), ("a/2.png", 1))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return torch.zeros(1, 2, 2), self.samples[index][1], "and more"


class Given(L.LightningDataModule):
    def __init__(self, loader: Any) -> None:
        super().__init__()
        self.loader = loader

    def val_dataloader(self) -> Any:
        return self.loader


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter([(torch.zeros(1, 2, 2), 0)])


def test_batches_keep_the_order_of_the_data_set() -> None:
    source = make_source(_IMAGES, _TARGETS, shuffle=True, drop_last=True)
    assert torch.cat([batch.targets for batch in source.batches()]).tolist() == [0, 1, 2, 3, 4]
    images, targets = zip(*source.batches([3, 0, 3]), strict=True)
    assert torch.cat(targets).tolist() == [3, 0, 3]
    assert torch.equal(torch.cat(images), _IMAGES[[3, 0, 3]])


def test_names() -> None:
    assert make_source(_IMAGES, _TARGETS).names == ["0", "1", "2", "3", "4"]
    source = Source(DataLoader(Files(), batch_size=2), torch.device("cpu"))
    assert source.names == ["b/1.png", "a/2.png"]
    [batch] = source.batches()
    assert batch.targets.tolist() == [0, 1]


def test_others_are_uniform_and_never_the_image_itself() -> None:
    positions = [0, 2, 4] * 400
    others = make_source(_IMAGES, _TARGETS).others(positions, torch.Generator().manual_seed(0))
    assert all(own != other for own, other in zip(positions, others, strict=True))
    counts = torch.bincount(torch.tensor(others[::3]), minlength=5)  # for image 0
    assert counts[0] == 0
    assert (counts[1:] - 100).abs().max() < 30  # more than three standard deviations of 8.7


def test_one_image_has_no_others() -> None:
    with pytest.raises(ValueError, match="at least 2, found 1"):
        make_source(_IMAGES[:1], _TARGETS[:1]).others([0], torch.Generator())


def test_loaders_that_do_not_fit() -> None:
    loader = DataLoader(TensorDataset(_IMAGES, _TARGETS), 2)
    device = torch.device("cpu")
    assert open_source(Given([loader]), "validate", device).loader is loader
    for other in ([loader, loader], DataLoader(Stream(), 2), DataLoader(TensorDataset(_IMAGES), batch_size=None)):
        with pytest.raises(TypeError, match="must have one DataLoader"):
            open_source(Given(other), "validate", device)


def test_batches_that_do_not_fit() -> None:
    source = Source(DataLoader(TensorDataset(_IMAGES), 2), torch.device("cpu"))
    with pytest.raises(TypeError, match=r"must be \(images \(B, C, H, W\), targets \(B,\)\)"):
        next(source.batches())

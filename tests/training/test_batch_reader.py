"""Messages of a run about its batches, and parts that must be converted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.training.batch_reader import BatchReader
from tests.tiny import CLASSES, Tiny, fit, is_clean_pass, make_data

_X, _Y = make_data(20)


class Named(Tiny):
    """Records its batches, which are dicts with an image and a label."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if not is_clean_pass(self):
            self.batches.append(batch)
        return super().training_step((batch["image"], batch["label"]), batch_idx)


def _loader(*batches: Any) -> Any:
    return DataLoader(list(batches), batch_size=None, collate_fn=lambda batch: batch)  # type: ignore[arg-type]


def _messages(caplog: pytest.LogCaptureFixture, callback: CoMixup, *batches: Any, runs: int = 1) -> list[str]:
    with caplog.at_level("INFO"):
        for _ in range(runs):
            fit(Named(), callback, loader=_loader(*batches), max_epochs=2)
    texts = [record.getMessage() for record in caplog.records]
    return [text for text in texts if text.startswith(("CoMixup mixes", "CoMixup leaves", "CoMixup treats"))]


def test_found_keys_are_reported_once_in_each_run(caplog: pytest.LogCaptureFixture) -> None:
    batch = {"image": _X, "label": _Y, "index": _Y, "more": [{"weight": _Y.float()}], "scale": torch.ones(3)}
    batch["index"] = _Y.clone()
    found = _messages(caplog, CoMixup(seed=0), batch, batch, runs=2)
    mixed = "CoMixup mixes image, float32 (20, 1, 8, 8), with the targets label, int64 (20,)."
    left = "CoMixup leaves these parts with a row for each input unmixed: index, ['more', 0, 'weight']. "
    assert [message[: len(left)] for message in found] == [mixed[: len(left)], left] * 2
    assert found[0] == mixed
    assert "also_mix or also_average" in found[1]


def test_given_keys_are_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    callback = CoMixup(seed=0, input_key="image", target_key="label", also_average=["weight"])
    assert _messages(caplog, callback, {"image": _X, "label": _Y, "weight": torch.ones(20)}) == []


def test_channels_that_seem_to_be_elsewhere_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    reader = BatchReader(CoMixup(input_key=0, target_key=1)._config)
    with caplog.at_level("INFO"):
        reader.read((torch.rand(20, 100, 6), _Y))
        reader.read((torch.rand(20, 100, 6), _Y))
    assert caplog.text.count("CoMixup treats the inputs as 100 channels of size (6,)") == 1
    assert "For series (B, T, C) = (20, 100, 6) pass CoMixup(channel_dim=-1)." in caplog.text


def test_keys_are_searched_again_only_if_they_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, config = BatchReader(CoMixup()._config), "lightning_comixup.training.batch_reader.find_keys"
    first: Any = reader.read({"a": _X, "b": _Y})
    assert first.keys == ("a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(config, lambda *_: pytest.fail("searched again"))
        # Without the earlier keys, this batch would be unclear.
        again: Any = reader.read({"a": _X[:7], "b": _Y[:7], "c": _X[:7], "d": _Y[:7]})
    assert again.keys == ("a", "b")
    assert len(again.inputs) == 7
    for other in ({"c": _X, "d": _Y}, {"c": _Y, "a": _X}, {"a": _Y, "c": _X}):
        found: Any = reader.read(other)
        assert found.inputs is _X
        assert found.targets is _Y
    reader.restart()
    with pytest.raises(ValueError, match="must be given"):
        reader.read({"a": _X, "b": _Y, "c": _X + 1, "d": _Y + 1})


def test_a_column_of_labels_is_mixed_as_labels() -> None:
    module = Named()
    fit(module, CoMixup(seed=0), loader=_loader({"image": _X, "label": _Y.unsqueeze(1)}), max_epochs=1)
    assert module.batches[0]["label"].shape == (20, CLASSES)


def test_batches_made_in_inference_mode() -> None:
    with torch.inference_mode():
        made = {"image": _X.clone(), "label": _Y.clone(), "depth": _X.clone(), "weight": torch.ones(20)}
    module, expected = Named(), Named()
    settings: dict[str, Any] = {"seed": 0, "also_mix": ["depth"], "also_average": ["weight"]}
    fit(module, CoMixup(**settings), loader=_loader(made), max_epochs=1)
    batch = {"image": _X, "label": _Y, "depth": _X.clone(), "weight": torch.ones(20)}
    fit(expected, CoMixup(**settings), loader=_loader(batch), max_epochs=1)
    for name in batch:
        assert torch.equal(module.batches[0][name], expected.batches[0][name])


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize(("classes", "columns"), [(["coarse"], CLASSES), ({"coarse": 3}, 3)])
def test_further_labels_are_averaged_as_one_hot_rows(classes: Any, columns: int, column: bool) -> None:
    coarse, flags = _Y // 2, torch.stack([_Y > 1, _Y > 2], 1)
    batch = {"image": _X, "label": _Y, "coarse": coarse.unsqueeze(1) if column else coarse, "flags": flags}
    averaged = {"flags": None} | classes if isinstance(classes, dict) else ["flags", *classes]
    module = Named()
    fit(module, CoMixup(seed=0, also_average=averaged), loader=_loader(batch), max_epochs=1)
    label, found = module.batches[0]["label"], module.batches[0]["coarse"]
    assert found.shape == (20, columns)
    assert found.dtype == torch.float32
    for index in range(3):  # a coarse class has the share of its fine classes
        assert torch.allclose(found[:, index], label[:, 2 * index : 2 * index + 2].sum(1))
    assert torch.allclose(module.batches[0]["flags"], torch.stack([label[:, 2:].sum(1), label[:, 3:].sum(1)], 1))


def test_a_nested_mapping_names_a_path() -> None:
    config = CoMixup(also_average={"weight": None, "data": {"coarse": 3, 0: None}, ("a", "b"): 4})._config
    assert config.also_average == ("weight", ("data", "coarse"), ("data", 0), ("a", "b"))
    assert config.average_classes == (None, 3, None, 4)


def test_a_batch_of_an_exhausted_loader_stays_unmixed() -> None:
    reader = BatchReader(CoMixup(input_key=["a", "image"], target_key=["a", "label"])._config)
    assert reader.read({"a": None}) is None
    parts: Any = reader.read({"a": {"image": _X, "label": _Y}})
    assert isinstance(parts.inputs, Tensor)
    with pytest.raises(TypeError, match="inputs must be a tensor, found NoneType"):
        reader.read({"a": {"image": None, "label": _Y}})
    with pytest.raises(ValueError, match="input_key must name a part"):
        reader.read({"b": None})

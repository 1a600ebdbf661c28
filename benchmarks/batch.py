"""A whole batch: time by size, threads and reference; memory of the mixing."""

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
from lightning_comixup import comixup_batch
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.plan import describe_saliency, partition, state_problem

_REPETITIONS = 7


def batch_rows(reference: Reference, sizes: tuple[int, ...] = (100, 400, 1024)) -> list[dict[str, Any]]:
    """Mix batches of 3 × 32 × 32 with one and two threads; the smallest with the reference, too."""
    saliency = make_saliency(max(sizes))
    grey, targets = make_images(max(sizes))
    images = grey.expand(-1, 3, -1, -1).contiguous()
    rows = []
    for size in sizes:
        arguments = images[:size], targets[:size], saliency[:size]
        ways = {f"{threads} threads": _mixer(threads, *arguments) for threads in (1, 2)}
        if size == min(sizes) and reference.mix_input is not None:
            ways["reference"] = _reference_mixer(reference, *arguments)
        times = time_in_turn(ways, _REPETITIONS)
        row: dict[str, Any] = {"images": size} | {f"{name} ms": 1e3 * found.median for name, found in times.items()}
        if "reference" in times:
            row["times faster"] = times["reference"].median / times["1 threads"].median
        rows.append(row)
    torch.set_num_threads(1)
    return rows


def _mixer(threads: int, images: torch.Tensor, targets: torch.Tensor, saliency: torch.Tensor) -> Any:
    def mix(index: int) -> None:
        torch.set_num_threads(threads)
        comixup_batch(images, targets, saliency, num_classes=CLASSES, generator=index)

    return mix


def _reference_mixer(reference: Reference, images: torch.Tensor, targets: torch.Tensor, saliency: torch.Tensor) -> Any:
    """Mix group by group, as the authors' `mixup_process` does."""
    parameters = Hyperparameters()
    mix_input = reference.mix_input
    assert mix_input is not None

    def mix(index: int) -> None:
        torch.set_num_threads(1)
        draws = np.random.default_rng(index)
        rows = F.one_hot(targets, CLASSES).float()
        for group in partition(len(images), parameters.partition_size):
            pooled, peaks = describe_saliency(saliency[group], (4, 4), parameters)
            masks = reference.solve(state_problem(pooled, peaks, parameters, draws))
            mix_input(torch.tensor(masks).permute(0, 2, 3, 1), images[group], rows[group])

    return mix


def memory_rows() -> list[dict[str, Any]]:
    """Measure the peak of mixing 256 images of 3 × 224 × 224 in a process of its own, in bytes of the batch."""
    command = [sys.executable, "-c", "from benchmarks.batch import print_peak; print_peak()"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    batch, peak = (float(word) for word in printed[-2:])
    return [{"images": "256 × 3 × 224 × 224", "batch MB": batch, "on top MB": peak, "times the batch": peak / batch}]


def print_peak() -> None:
    """Print the megabytes of the batch, and what mixing it takes on top at its peak."""
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(256, 3, 224, 224, generator=draws)
    targets, saliency = torch.arange(256) % CLASSES, images.mean(1)
    small = torch.rand(40, 3, SIDE, SIDE, generator=draws)
    comixup_batch(small, targets[:40], small.mean(1), num_classes=CLASSES)  # loads the solver
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    comixup_batch(images, targets, saliency, num_classes=CLASSES, generator=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"{images.numel() * 4 / 2**20} {peak / 2**10}\n")  # Linux counts kilobytes

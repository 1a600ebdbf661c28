"""Tiny data sets on disk, in the layout of the real ones."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

CONFIGS = Path(__file__).parents[2] / "examples" / "recipes" / "configs"
CLASSES = 3  # for the data sets whose number of classes can be set
RATE = 16000


def draws() -> np.random.Generator:
    return np.random.default_rng(0)


def write_cifar(folder: Path, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write 40 training and 10 test images as Python pickles, and make torchvision expect their checksums."""
    from torchvision import datasets

    kind = datasets.CIFAR10 if classes == 10 else datasets.CIFAR100
    key = "labels" if classes == 10 else "fine_labels"
    base = folder / kind.base_folder
    base.mkdir(parents=True)
    generator = draws()

    def write(name: str, content: dict[str, object]) -> list[str]:
        packed = pickle.dumps(content)
        (base / name).write_bytes(packed)
        return [name, hashlib.md5(packed).hexdigest()]

    def batch(images: int) -> dict[str, object]:
        pixels = generator.integers(0, 256, (images, 3072), dtype=np.uint8)
        return {"data": pixels, key: generator.integers(0, classes, images).tolist()}

    train = [write(name, batch(40 // len(kind.train_list))) for name, _ in kind.train_list]
    test = [write(name, batch(10)) for name, _ in kind.test_list]
    names: dict[str, object] = {kind.meta["key"]: [f"class {label}" for label in range(classes)]}
    meta = {**kind.meta, "md5": write(kind.meta["filename"], names)[1]}
    for attribute, value in (("train_list", train), ("test_list", test), ("meta", meta)):
        monkeypatch.setattr(kind, attribute, value)


def write_image(path: Path, size: tuple[int, int], generator: np.random.Generator | None = None) -> None:
    """Write an image of (width, height)."""
    from PIL import Image

    width, height = size
    pixels = (generator or draws()).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_image_folder(folder: Path, per_class: int, size: tuple[int, int], suffix: str = "JPEG") -> None:
    generator = draws()
    for label in range(CLASSES):
        for index in range(per_class):
            write_image(folder / f"n{label:08}" / f"{index}.{suffix}", size, generator)


def write_tiny_imagenet(folder: Path) -> None:
    """Write the data set as in its archive, with validation images that are not yet arranged by class."""
    generator = draws()
    annotations = []
    for label in range(CLASSES):
        for index in range(8):
            write_image(folder / "train" / f"n{label:08}" / "images" / f"{index}.JPEG", (64, 64), generator)
        name = f"val_{label}.JPEG"
        write_image(folder / "val" / "images" / name, (64, 64), generator)
        annotations.append(f"{name}\tn{label:08}\t0\t32\t44\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(annotations), encoding="utf-8")


def write_stanford_cars(folder: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    base = folder / "stanford_cars"
    fields = [("bbox_x1", "u1"), ("class", "u1"), ("fname", object)]
    for split, images, path in (
        ("train", 9, base / "devkit" / "cars_train_annos.mat"),
        ("test", 4, base / "cars_test_annos_withlabels.mat"),
    ):
        rows = np.empty(images, dtype=fields)
        for index in range(images):
            rows[index] = (1, 1 + index % CLASSES, f"{index:05}.jpg")
            write_image(base / f"cars_{split}" / f"{index:05}.jpg", (60, 44))
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy_io.savemat(path, {"annotations": rows})
    names = np.array([f"car {label}" for label in range(CLASSES)], dtype=object)
    scipy_io.savemat(base / "devkit" / "cars_meta.mat", {"class_names": names})


def write_aircraft(folder: Path) -> None:
    data = folder / "fgvc-aircraft-2013b" / "data"
    for split, images in (("trainval", range(9)), ("test", range(9, 13))):
        lines = [f"{index:07} variant {index % CLASSES}\n" for index in images]
        data.mkdir(parents=True, exist_ok=True)
        (data / f"images_variant_{split}.txt").write_text("".join(lines), encoding="utf-8")
        for index in images:
            write_image(data / "images" / f"{index:07}.jpg", (60, 44))
    variants = "".join(f"variant {label}\n" for label in range(CLASSES))
    (data / "variants.txt").write_text(variants, encoding="utf-8")


def write_imagenet(folder: Path) -> None:
    """Write 24 training and 6 validation images at two sizes."""
    for side in (160, 352):
        shape = (side // 4, side // 8)  # only the names of the folders must be real
        write_image_folder(folder / str(side) / "train", 8, shape)
        write_image_folder(folder / str(side) / "val", 2, shape)


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.astype("<i2").tobytes())


def write_speech_commands(folder: Path) -> None:
    """Write eight recordings of each of three words: six for training, one for validation and one for testing."""
    generator = draws()
    for word in ("bed", "down", "up"):
        for index in range(8):
            length = RATE - 1000 * (index % 2)  # some are shorter than a second
            write_wav(folder / word / f"{index}_nohash_0.wav", generator.integers(-9000, 9000, length))
    write_wav(folder / "_background_noise_" / "white_noise.wav", generator.integers(-9000, 9000, 2 * RATE))
    for name, index in (("validation", 6), ("testing", 7)):
        lines = "".join(f"{word}/{index}_nohash_0.wav\n" for word in ("bed", "down", "up"))
        (folder / f"{name}_list.txt").write_text(lines, encoding="utf-8")


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write a packed IDX file of unsigned bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


def write_fashion_mnist(folder: Path) -> None:
    """Write four training images and one test image of each class."""
    generator = draws()
    for split, per_class in (("train", 4), ("t10k", 1)):
        labels = np.repeat(np.arange(10), per_class)
        images = generator.integers(0, 256, (len(labels), 28, 28))
        write_idx(folder / f"{split}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{split}-labels-idx1-ubyte.gz", labels)

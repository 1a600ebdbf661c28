"""Draw and write all figures of the gallery."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from examples.gallery_parts.group import CALM, Group, make_group, mix
from examples.gallery_parts.hero import DARK, LIGHT, draw_hero
from examples.gallery_parts.steps import draw_overview, draw_steps
from examples.gallery_parts.strips import SWEEPS, draw_strip

_WEBP_QUALITY = 68  # out of 100. Heuristic: all figures together stay below 1.1 MB, and the cells' lines stay sharp
_PALETTE = 256  # colours of a PNG, as many as one byte per pixel allows


def draw_gallery(options: argparse.Namespace) -> None:
    """Draw all figures of the photographs."""
    # One thread is enough for six images, and leaves the other cores to other programs.
    torch.set_num_threads(1)
    group = load_group()
    options.folder.mkdir(parents=True, exist_ok=True)
    draw_all(group, options.folder, Console())


def load_group() -> Group:
    """Load the photographs and the network, both from the extra `gallery`."""
    from examples.gallery_parts.network import SIDE, Network
    from examples.gallery_parts.photographs import PHOTOGRAPHS, load_photographs

    names = tuple(photograph.name for photograph in PHOTOGRAPHS)
    colours = tuple(photograph.colour for photograph in PHOTOGRAPHS)
    return make_group(Network(), load_photographs(SIDE), names, colours)


def draw_all(group: Group, folder: Path, console: Console) -> None:
    """Draw each figure of a group and write it."""
    mixed = mix(group, **CALM)
    save(draw_overview(group, mixed), folder / "overview.png", console)
    save(draw_steps(group, mixed), folder / "steps.webp", console)
    for name, theme in (("hero-light", LIGHT), ("hero-dark", DARK)):
        save(draw_hero(group, theme), folder / f"{name}.webp", console)
    for sweep in SWEEPS:
        save(draw_strip(group, sweep), folder / f"{sweep.name}.webp", console)


def save(figure: Figure, path: Path, console: Console) -> None:
    """Write a figure as a small file, which is a PNG with a palette or a WebP, depending on its name."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi="figure")
    image = Image.open(drawn).convert("RGB")
    if path.suffix == ".png":
        palette = image.quantize(_PALETTE)
        image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    else:
        image.save(path, quality=_WEBP_QUALITY, method=6)
    console.print(f"{path}: {path.stat().st_size / 1000:.0f} kB", highlight=False, markup=False, soft_wrap=True)

"""The requested parts and methods, and those of them that are available.

This module imports nothing heavy, so that a study without its data ends at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path

from examples.command_line import CommandError, install_command
from examples.study_parts.names import AUTHORS_CUTS, FASHION_FILES, METHOD_NAMES, TUNED, TUNED_MIXING
from examples.study_parts.plan import REAL_SIZE, SETTINGS, Wish
from examples.study_parts.recipes import RECIPES


def find_missing(options: argparse.Namespace) -> dict[str, str]:
    """Return the requested parts and methods that are unavailable, each with its missing requirement."""
    methods = options.methods or METHOD_NAMES
    needs = {part: missing_data(part, options.fashion) for part in options.parts}
    needs |= {method: missing_code(method) for method in methods}
    if not all(RECIPES[part].tuned for part in options.parts):
        needs |= {name: "rates in recipes.py (--tune)" for name in (TUNED, *TUNED_MIXING) if name in methods}
    return {name: need for name, need in needs.items() if need}


def choose(options: argparse.Namespace, missing: Mapping[str, str]) -> Wish:
    """Return the part of the request that is available.

    Args:
        options: The request.
        missing: The parts and methods that are unavailable, each with its missing requirement.

    Raises:
        CommandError: If nothing is left.
    """
    settings = tuple(
        setting
        for setting in (*SETTINGS, REAL_SIZE)
        if setting.part in options.parts and setting.part not in missing
        if options.labels is None or setting.labels in options.labels
    )
    methods = [method for method in options.methods or METHOD_NAMES if method not in missing]
    if not settings or not methods:
        asked = options.methods if settings else options.parts
        needs = [f'"{name}" needs {missing[name]}' for name in asked if name in missing]
        raise CommandError(f"Nothing can be run: {'; '.join(needs)}.")
    return Wish(settings, methods, options.budgets, options.seeds, options.network)


def left_out(options: argparse.Namespace, missing: Collection[str]) -> list[str]:
    """Return the missing parts that were requested, and the missing methods that were named."""
    return [name for name in missing if name in options.parts or name in (options.methods or ())]


def missing_data(part: str, folder: Path) -> str | None:
    """Return the missing requirement of a part, or None."""
    if part == "cells":
        return None if find_spec("elpv_dataset") else f"the package elpv-dataset: {install_command('cells')}"
    are_there = [(folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in FASHION_FILES]
    if part == "digits" or all(are_there):
        return None
    return f"Fashion-MNIST's four IDX files in {folder} (--fashion names another folder)"


def missing_code(name: str) -> str | None:
    """Return the missing requirement of a method, or None."""
    if name != AUTHORS_CUTS or find_spec("gco"):
        return None
    return f"the package gco-wrapper, for Python below 3.12: {install_command('pygco')}"

"""Plots of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

Rows = list[dict[str, Any]]
_DOTS_PER_INCH = 120


def plot_solver(rows: Rows, reference: str, path: Path) -> None:
    """Plot the time per group against the grid."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for saliency, line in (("recorded", "-"), ("digits", "--")):
        here = [row for row in rows if row["saliency"] == saliency]
        grids = [row["grid"] for row in here]
        for name, title, colour in (("reference", reference, "C1"), ("ours", "descent", "C0")):
            times, spreads = [row[f"{name} ms"] for row in here], [row[f"{name} ± ms"] for row in here]
            axis.errorbar(grids, times, spreads, label=f"{title}, {saliency}", ls=line, color=colour, marker="o")
    axis.set(yscale="log", xlabel="label grid", ylabel="milliseconds per group of 20")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def plot_curve(rows: Rows, reference: str, path: Path) -> None:
    """Plot the energy against the time."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for kind, marker in (("sweeps", "o"), ("starts", "s"), (reference, "^")):
        here = [row for row in rows if row["way"].endswith(kind)]
        axis.plot([row["ms"] for row in here], [row["energy"] for row in here], marker=marker, label=kind)
        for row in here if len(here) > 1 else []:
            number = row["way"].split()[0]
            axis.annotate(number, (row["ms"], row["energy"]), xytext=(4, 4), textcoords="offset points")
    axis.set(xscale="log", xlabel="milliseconds per group of 20", ylabel="mean energy")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=_DOTS_PER_INCH)

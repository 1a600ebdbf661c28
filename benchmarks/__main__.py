"""Run the benchmarks, print their tables, and write them as CSV files with plots of the solver's times and energies.

Run `python -m benchmarks`, or add `--help` for the options. It needs the extra `examples` and, without a checkout of
the authors' code, the extra `pygco`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from examples.command_line import Parser, one_line_errors, whole_number

TABLES = ("solver", "batch", "memory", "growth", "curve", "effects", "callback", "step", "saliencies")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that the command line asks for."""
    options = parse(arguments)
    on_interrupt = f"Stopped. The printed tables are saved in {options.output}. Choose the others with --tables."
    with one_line_errors("examples,pygco", on_interrupt):
        from benchmarks.run import run

        run(options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    description = "Run the benchmarks, print their tables, and write them as CSV files with plots."
    parser = Parser(prog="python -m benchmarks", description=description)
    reference_help = "a checkout of the authors' repository (snu-mllab/Co-Mixup)"
    parser.add_argument("--reference", type=_checkout, metavar="FOLDER", help=reference_help)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES, help="(default: all)")
    groups_help = "groups per row in the tables solver, curve and effects (default: 20)"
    parser.add_argument("--groups", type=whole_number(1), default=20, metavar="N", help=groups_help)
    parser.add_argument(
        "--accelerator",
        choices=["cpu", "gpu"],
        default="cpu",
        help="device for the tables step and saliencies; with gpu, PyTorch chooses the number of threads",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmark-results"),
        help="folder for tables and plots (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def _checkout(text: str) -> Path:
    path = Path(text)
    if not (path / "match.py").is_file():
        raise argparse.ArgumentTypeError(f"must be a checkout of the authors' repository, found {text!r}")
    return path


if __name__ == "__main__":
    main()

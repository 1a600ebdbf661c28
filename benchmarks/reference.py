"""The reference for the solver: the authors' code from a checkout, or the plain graph cuts of the extra `pygco`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_comixup import Hyperparameters
from lightning_comixup.method.energy import add_prior
from lightning_comixup.method.problem import Labeling, Problem, labeling_to_masks
from lightning_comixup.solvers.dispatch import solve_groups

Solve = Callable[[Problem], NDArray[np.float32]]


class Reference(NamedTuple):
    """A reference's name, its solver for a group with one start, and the authors' mixing if their code is available."""

    name: str
    solve: Solve
    mix_input: Callable[..., Any] | None


def load_reference(checkout: Path | None) -> Reference:
    """Return the authors' code or, without a checkout, their graph cuts as this package calls them."""
    if checkout is None:
        return Reference("graph cuts (extra pygco)", _cut, None)
    sys.path.insert(0, str(checkout))
    import match

    def solve(problem: Problem) -> NDArray[np.float32]:
        parameters = problem.hyperparameters
        # The problem's draw of the prior replaces theirs, so that both sides solve the same problem.
        unary = add_prior(problem.unary.astype(np.float64), problem.prior, parameters.prior_weight)
        masks = match.get_onehot_matrix(
            torch.tensor(unary, dtype=torch.float32),
            torch.tensor(problem.compatibility, dtype=torch.float32),
            problem.starts.shape[1],
            idx=torch.tensor(problem.starts[0], dtype=torch.long),
            beta=parameters.smoothness,
            gamma=parameters.diversity,
            eta=0.0,
            mixup_alpha=parameters.alpha,
            thres=parameters.penalty_threshold,
            thres_type=parameters.thresholding,
            set_resolve=parameters.resolve_duplicates,
            niter=parameters.sweeps,
            device="cpu",
        )
        return np.asarray(masks.permute(0, 3, 1, 2).numpy())

    return Reference("the authors' code", solve, match.mix_input)


def _cut(problem: Problem) -> NDArray[np.float32]:
    settings = vars(problem.hyperparameters) | {"solver": "pygco", "restarts": 1}
    alone = Problem(
        problem.unary, problem.compatibility, problem.prior, problem.starts[:1], Hyperparameters(**settings)
    )
    return labeling_to_masks(solve_groups([alone])[0], problem.unary.shape[0])


def label(problem: Problem) -> Labeling:
    """Label a group with this package's own solver."""
    return solve_groups([problem])[0]

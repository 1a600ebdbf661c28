"""The state of a run: what it has learned about its module and batches, and the messages it has logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lightning.pytorch.utilities import rank_zero_info

from lightning_comixup.planning import LabelingReport
from lightning_comixup.training.gradient_flags import GradientFlags
from lightning_comixup.training.loss_watch import LossShapes
from lightning_comixup.training.metric_routing import MetricRouting
from lightning_comixup.training.target_kind import TargetKind

# After this many hardly mixed batches in a row, a run logs a message. Heuristic.
_PATIENCE = 50
# Up to this mean number of inputs per output, a batch counts as hardly mixed. Heuristic.
_HARDLY_MIXED = 1.05


@dataclass
class RunState:
    """The state of one run. It is not saved, since a resumed run learns it again from its first mixed step."""

    # Of the targets and of each part of `also_average`; None before the first clean pass.
    target_kinds: tuple[TargetKind, ...] | None = None
    loss_shapes: Sequence[LossShapes] = ()  # of the first clean pass
    label_totals: frozenset[str] = frozenset()  # of the first clean pass
    has_watched_step: bool = False  # whether the first mixed step is over
    metrics: MetricRouting = field(default_factory=MetricRouting)
    gradient_flags: GradientFlags = field(default_factory=GradientFlags)
    last_report: LabelingReport | None = None  # of the last mixed batch
    _unmixed_in_a_row: int = 0
    _said: set[str] = field(default_factory=set)

    def say(self, message: str) -> None:
        """Log a message on the first rank, once per run."""
        if message not in self._said:
            self._said.add(message)
            rank_zero_info(message)

    def note_report(self, report: LabelingReport | None) -> None:
        """Keep the report on a batch (None if it stayed unmixed); log a message if the solver keeps mixing nothing."""
        if report is None:
            return
        self.last_report = report
        self._unmixed_in_a_row = self._unmixed_in_a_row + 1 if report.inputs_per_output <= _HARDLY_MIXED else 0
        if self._unmixed_in_a_row == _PATIENCE:
            self.say(
                f"CoMixup: in the last {_PATIENCE} batches hardly any output combined more than one input, so almost "
                "nothing was mixed. Lower smoothness, set penalty_threshold and compatibility_weight back to their "
                "defaults, or start later (start_epoch), when the saliency is more meaningful than that of an "
                "untrained network."
            )

"""What a run has learned of its module and batches, and what it has said."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightning.pytorch.utilities import rank_zero_info

from lightning_comixup.planning import LabelingReport
from lightning_comixup.training.gradient_flags import GradientFlags
from lightning_comixup.training.metric_routing import MetricRouting
from lightning_comixup.training.target_kind import TargetKind

# Mixed batches in a row without any mixing after which the run says so. Heuristic.
_PATIENCE = 50


@dataclass
class RunState:
    """The state of one run; nothing of it is saved, since a resumed run learns it anew from its first mixed step."""

    # Of the targets and of each part of `also_average`; None before the first clean pass.
    target_kinds: tuple[TargetKind, ...] | None = None
    has_watched_step: bool = False  # whether the first mixed step is over
    metrics: MetricRouting = field(default_factory=MetricRouting)
    gradient_flags: GradientFlags = field(default_factory=GradientFlags)
    last_report: LabelingReport | None = None  # of the last mixed batch
    _unmixed_in_a_row: int = 0
    _said: set[str] = field(default_factory=set)

    def say(self, message: str) -> None:
        """Log a message on the first rank, once in a run."""
        if message not in self._said:
            self._said.add(message)
            rank_zero_info(message)

    def note_report(self, report: LabelingReport) -> None:
        """Keep the report on a mixed batch; say it if the solver goes on to mix nothing."""
        self.last_report = report
        self._unmixed_in_a_row = self._unmixed_in_a_row + 1 if report.inputs_per_output == 1 else 0
        if self._unmixed_in_a_row == _PATIENCE:
            self.say(
                f"CoMixup: in the last {_PATIENCE} batches every output was made of one input, so nothing was mixed. "
                "Lower smoothness, or wait until the network's saliency says more than that of an untrained one; "
                "diversity and prior_weight of 0 also lead there."
            )

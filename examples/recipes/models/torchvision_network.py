"""Networks from torchvision with a head of the right size."""

from __future__ import annotations

from torch import Tensor, nn

_HEAD_DEVIATION = 0.01  # of the authors' initial head weights, after Goyal et al., "Accurate, Large Minibatch SGD"


class TorchvisionNetwork(nn.Module):
    """A ResNet or ResNeXt from torchvision."""

    def __init__(
        self, num_classes: int, name: str, weights: str | None = None, zero_init_residual: bool = False
    ) -> None:
        """Build the network.

        Args:
            num_classes: Number K of logits. The head is always new, even with pretrained weights.
            name: torchvision's name for the network, such as "resnet18", "resnet50" or "resnext50_32x4d".
            weights: torchvision's name for pretrained weights, such as "IMAGENET1K_V1". They are downloaded on first
                use.
            zero_init_residual: Whether the last BatchNorm scale of each block starts at 0, for training from scratch.

        Raises:
            ValueError: If the network has no head named `fc`.
        """
        super().__init__()
        from torchvision.models import get_model

        only_resnets_take = {"zero_init_residual": True} if zero_init_residual else {}
        self.network: nn.Module = get_model(name, weights=weights, **only_resnets_take)
        head = getattr(self.network, "fc", None)
        if not isinstance(head, nn.Linear):
            raise ValueError(f"name must be that of a ResNet or ResNeXt, with a linear head `fc`, found {name!r}.")
        self.network.fc = nn.Linear(head.in_features, num_classes)
        nn.init.normal_(self.network.fc.weight, std=_HEAD_DEVIATION)
        nn.init.zeros_(self.network.fc.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes)."""
        logits: Tensor = self.network(images)
        return logits

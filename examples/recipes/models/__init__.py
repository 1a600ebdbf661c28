"""The recipes' networks. Their first argument is `num_classes`, and they return logits (B, num_classes)."""

from examples.recipes.models.preact_resnet import PreActResNet
from examples.recipes.models.raw_waveform import RawWaveformNet
from examples.recipes.models.resnext import ResNeXt
from examples.recipes.models.torchvision_network import TorchvisionNetwork
from examples.recipes.models.vgg import VGG11
from examples.recipes.models.wide_resnet import WideResNet

__all__ = ["VGG11", "PreActResNet", "RawWaveformNet", "ResNeXt", "TorchvisionNetwork", "WideResNet"]

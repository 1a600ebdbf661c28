"""The recipes' data modules, with batches that are lists (inputs (B, C, *spatial) float32, targets (B,) int64)."""

from examples.recipes.data.cifar import CIFAR
from examples.recipes.data.fashion_mnist import FashionMNIST
from examples.recipes.data.fine_grained import FGVCAircraft, StanfordCars
from examples.recipes.data.imagenet import ImageNet
from examples.recipes.data.speech_commands import SpeechCommands
from examples.recipes.data.tiny_imagenet import TinyImageNet

__all__ = ["CIFAR", "FGVCAircraft", "FashionMNIST", "ImageNet", "SpeechCommands", "StanfordCars", "TinyImageNet"]

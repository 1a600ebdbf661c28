"""Training recipes for Co-Mixup: `python -m examples.recipes fit --config examples/recipes/configs/cifar100.yaml`."""

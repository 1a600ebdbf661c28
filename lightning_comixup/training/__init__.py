"""Training with Lightning: the callback, its step, and the mixin for modules. Only this package imports Lightning."""

"""Training with Lightning: the callback, its step, and the mixin of a module. No other room imports Lightning."""

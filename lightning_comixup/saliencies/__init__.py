"""Saliencies to choose from: plain callables, which `CoMixup(saliency=...)` takes as well."""

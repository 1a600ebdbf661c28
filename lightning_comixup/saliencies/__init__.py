"""A choice of saliencies: plain callables that can be passed as `CoMixup(saliency=...)`."""

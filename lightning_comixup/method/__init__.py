"""The method: saliency, grid, compatibility, energy and mixing, as pure functions."""

"""Sizes of scikit-learn's digits data set and of its parts."""

IMAGES, CLASSES = 1797, 10
FEWEST_IMAGES = 2 * CLASSES  # on each side of the split into training and test images

"""Sizes of scikit-learn's digits, and of what can be drawn of them."""

IMAGES, CLASSES = 1797, 10
FEWEST_IMAGES = 2 * CLASSES  # on either side of the split into training and testing

"""`python -m examples.recipes fit --config FILE`, or `--help`."""

from examples.recipes.cli import main

if __name__ == "__main__":
    main()

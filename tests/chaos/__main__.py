"""`python -m tests.chaos`: plays histories; a failing one is shortened and printed with the command that replays it."""

import sys

import tests.chaos.thawed  # noqa: F401  # isort: skip  # before anything of the product
from tests.chaos.many import main

if __name__ == "__main__":
    sys.exit(main())

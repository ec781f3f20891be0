"""``python -m hierstan`` is the command ``hierstan``."""

import sys

from hierstan.shell.cli import main

if __name__ == "__main__":
    sys.exit(main())

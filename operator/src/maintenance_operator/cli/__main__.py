"""``python -m maintenance_operator.cli``."""

import sys

from maintenance_operator.cli.command import main

if __name__ == "__main__":
    sys.exit(main())

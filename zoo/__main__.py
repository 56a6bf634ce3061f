"""`python -m zoo` is `zoo`."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the current folder, from which `zoo` imports nothing either

from zoo.cli.main import main

main()

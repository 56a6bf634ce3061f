"""Run the `zoo` command with `python -m zoo`."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the current folder, which is not on the path of the `zoo` script either

from zoo.cli.main import main

main()

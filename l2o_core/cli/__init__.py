"""The command `l2o`: reproduce the notebooks, distil data of your own, look into the zoo of rules."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from l2o_core.cli import distill, reproduce, zoo
from l2o_core.errors import L2OError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error of ours becomes one line on stderr and exit status 2."""
    parser = argparse.ArgumentParser(prog="l2o", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (reproduce, distill, zoo):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except L2OError as error:
        print(f"l2o: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("l2o: stopped", file=sys.stderr)
        return 130

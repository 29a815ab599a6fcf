"""The command `l2o`: train optimizers, distil data of your own, look into the zoo of rules.

Other packages add commands by an entry point in the group `l2o.commands`: a module with `add_parser`. The
book adds `l2o reproduce` that way.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from ..errors import L2OError
from . import distill, train, zoo


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error of ours becomes one line on stderr and exit status 2."""
    parser = argparse.ArgumentParser(prog="l2o", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"l2o {metadata.version('l2o_core')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    added = [entry.load() for entry in metadata.entry_points(group="l2o.commands")]
    for command in (*added, train, distill, zoo):
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

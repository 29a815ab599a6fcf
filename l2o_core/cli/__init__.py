"""The command `l2o`: train optimizers, distil data of your own, discover rules, look into the zoo of rules.

Other packages add commands by an entry point in the group `l2o.commands`: a module with `add_parser`. The
book adds `l2o reproduce` that way.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from importlib import metadata

from ..errors import ConfigError, L2OError, did_you_mean
from . import defence, discover, distill, train, zoo


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error of ours becomes one line on stderr and exit status 2."""
    parser = argparse.ArgumentParser(prog="l2o", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"l2o {metadata.version('l2o_core')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    added = [entry.load() for entry in metadata.entry_points(group="l2o.commands")]
    for command in (*added, train, defence, distill, discover, zoo):
        command.add_parser(commands)
    try:
        _check_command(sys.argv[1:] if arguments is None else arguments, commands.choices)
        options = parser.parse_args(arguments)
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


def _check_command(arguments: Sequence[str], known: Collection[str]) -> None:
    """ConfigError for a command that does not exist, before argparse lists them all."""
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command is not None and command not in known:
        raise ConfigError(f"no command {command!r}; {did_you_mean(command, known)}")

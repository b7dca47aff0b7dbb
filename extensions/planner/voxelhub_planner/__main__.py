"""python -m voxelhub_planner plan | split | seal | open | attack | calibrate …"""

from __future__ import annotations

import sys

from . import cli, cli_privacy
from .errors import PlannerError

COMMANDS = {"plan": cli.main, **cli_privacy.COMMANDS, "calibrate": cli.main_calibrate}
USAGE = f"usage: python -m voxelhub_planner {' | '.join(COMMANDS)} … (--help says more)"


def run(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print("\n".join([USAGE, "", *(f"  {name:<10} {(command.__doc__ or '').strip()}" for name, command in COMMANDS.items())]))
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except PlannerError as error:
        print(f"voxelhub {arguments[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"voxelhub {arguments[0]}: stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

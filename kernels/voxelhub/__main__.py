"""`python -m voxelhub tool new | check | submit`: in a terminal of a notebook server, with its own token."""

from __future__ import annotations

import argparse
import sys

from .developing import check_tool, new_tool, submit_tool
from .errors import VoxelHubError


def main(arguments: list[str] | None = None) -> int:
    """0 done and good, 1 something is wrong and said."""
    wanted = _parser().parse_args(arguments)
    try:
        return int(wanted.run(wanted))
    except VoxelHubError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m voxelhub", description="VoxelHub in a terminal of your notebook server.")
    rooms = parser.add_subparsers(required=True, metavar="tool")
    tool = rooms.add_parser("tool", help="make, check and submit a tool of your own")
    commands = tool.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="write a complete small tool into a new folder")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--kind", choices=("python", "r", "shell", "notebook"), default="python")
    new.set_defaults(run=_new)
    check = commands.add_parser("check", help="say what is wrong with a tool's folder, and what would make it right")
    check.add_argument("folder", metavar="FOLDER")
    check.set_defaults(run=_check)
    submit = commands.add_parser("submit", help="hand a tool's folder to the administrators")
    submit.add_argument("folder", metavar="FOLDER")
    submit.add_argument("--note", default="", help="a word to who reviews it")
    submit.set_defaults(run=_submit)
    return parser


def _new(wanted: argparse.Namespace) -> int:
    folder = new_tool(wanted.name, wanted.kind)
    print(f"{folder} is there: a tool that works. README.md in it says what to do next.")
    return 0


def _check(wanted: argparse.Namespace) -> int:
    said = check_tool(wanted.folder)
    print(said)
    return 0 if said.ok else 1


def _submit(wanted: argparse.Namespace) -> int:
    row = submit_tool(wanted.folder, wanted.note)
    print(f"{row['name']} {row['version']} was submitted, attempt {row['attempt']}. An administrator decides about it; "
          "until then you can run it into your own project.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

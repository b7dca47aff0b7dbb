"""`voxelhub tool …`: make, check, run, submit and install tools. All but `submit` need no VoxelHub to be running."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..datasets.vocabulary import vocabulary
from ..errors import Problem, conflict, invalid
from ..imports.scanning import make_scanner
from ..settings import Settings, load_settings
from . import cli_install, cli_run, cli_send, openvre, package, template
from .finding import Finding
from .scanning import here, scan

_ABOUT = """Tools: a folder with a manifest (tool.json) and a program.

  voxelhub tool new my-tool                          a complete small one to begin with
  voxelhub tool test my-tool                         its own tests, where it will run
  voxelhub tool run my-tool --input table=some.csv   as VoxelHub will run it, on a file of yours
  voxelhub tool check my-tool                        what is wrong, and what would make it right
  voxelhub tool submit my-tool --url https://…       hand it to the administrators

docs/tool-developer.md says more."""
_CODES = "exit code: 0 done and good, 1 something is wrong (a sentence says what), 2 wrong usage"
LEVELS = {"error": "wrong", "warning": "look", "note": "note"}


def main(arguments: list[str]) -> int:
    wanted = _parser().parse_args(arguments)
    try:
        return int(wanted.run(load_settings(), wanted))
    except Problem as problem:
        print(f"voxelhub tool: {problem.detail} {problem.fix}".rstrip(), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="voxelhub tool", description=_ABOUT, epilog=_CODES, formatter_class=formatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    new = commands.add_parser("new", help="write a complete small tool, its tests included", epilog=_CODES)
    new.add_argument("name", metavar="NAME", help="folder to make; its last part is the tool's name: small letters, digits, -")
    new.add_argument("--kind", choices=template.KINDS, default="python", help="what its program is (python)")
    new.set_defaults(run=_new)

    check = commands.add_parser("check", help="say all that is wrong with a tool's folder, each with its fix", epilog=_CODES,
                                description="The same findings, word for word, as VoxelHub gives when the tool is submitted.")
    check.add_argument("folder", type=Path, metavar="FOLDER")
    check.add_argument("--json", action="store_true", help="one JSON document instead of text")
    check.set_defaults(run=_check)

    cli_run.add_to(commands, _CODES)
    cli_send.add_to(commands, _CODES)

    words = commands.add_parser("words", help="data types and file formats that a manifest may name",
                                description="The vocabulary: the words for `data_type` and `file_format`, each with its title.")
    words.set_defaults(run=_words)

    imported = commands.add_parser("import-openvre", help="make a tool's folder from an openVRE tool JSON", epilog=_CODES)
    imported.add_argument("file", type=Path, metavar="FILE", help="the tool's JSON, as openVRE registers it")
    imported.add_argument("--output", type=Path, metavar="DIR", help="the folder to make (the tool's name, here)")
    imported.set_defaults(run=_import_openvre)

    cli_install.add_to(commands, _CODES)
    return parser


def _new(_settings: Settings, wanted: argparse.Namespace) -> int:
    folder = Path(wanted.name)
    template.write(wanted.kind, folder.name, folder)
    print(f"{folder} is there: a tool that works. README.md in it says what to do next; "
          f"`voxelhub tool test {folder}` runs its tests.")
    return 0


def _check(settings: Settings, wanted: argparse.Namespace) -> int:
    scanned = scan(package.collect(wanted.folder, settings.tool_max_bytes), make_scanner(settings))
    found = [*scanned.findings, *here(settings, scanned)]
    if wanted.json:
        findings = [one.__dict__ for one in found]
        print(json.dumps({"ok": scanned.ok, "digest": scanned.digest, "findings": findings}, indent=2))
        return 0 if scanned.ok else 1
    show(found)
    errors = sum(one.level == "error" for one in scanned.findings)
    wrong = f"It cannot be submitted: {errors} {'thing is' if errors == 1 else 'things are'} wrong."
    print("It can be submitted." if scanned.ok else wrong)
    return 0 if scanned.ok else 1


def show(findings: list[Finding]) -> None:
    for one in findings:
        print(f"{LEVELS[one.level]:<6} {one.sentence}")
        if one.fix:
            print(f"       {one.fix}")


def _words(_settings: Settings, _wanted: argparse.Namespace) -> int:
    known = vocabulary()
    width = max(map(len, [*known.data_types, *known.file_formats]))
    for heading, terms in (("data types", known.data_types), ("file formats", known.file_formats)):
        print(heading)
        for word, term in terms.items():
            print(f"  {word:<{width}}  {term.title}")
    return 0


def _import_openvre(_settings: Settings, wanted: argparse.Namespace) -> int:
    try:
        raw = json.loads(wanted.file.read_text("utf-8"))
    except OSError:
        raise invalid("no_such_file", f"There is no file {wanted.file} that can be read.", "Name the tool's JSON.") from None
    except (ValueError, RecursionError):
        raise invalid("no_json", f"{wanted.file.name} is no JSON text.", "Name the tool's JSON.") from None
    done = openvre.from_openvre(raw)
    show(done.findings)
    if not done.manifest:
        return 1
    folder = wanted.output or Path(done.manifest["name"])
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise conflict("exists", f"There is a {folder} already; nothing was written.", "Choose another --output.") from None
    (folder / "tool.json").write_text(json.dumps(done.manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"{folder}/tool.json is there. Put the program into {folder}, then: voxelhub tool check {folder}")
    return 0

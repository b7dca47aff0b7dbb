"""`voxelhub user …`: people of the realm. A password is made here, shown once and kept nowhere."""

from __future__ import annotations

import argparse

from voxelhub_service.identity.actor import ADMINS_GROUP, USERS_GROUP
from voxelhub_service.settings import Settings, load_settings

from .directory import KeycloakAdmin
from .realm import ROLES
from .record import record


def main(arguments: list[str]) -> int:
    wanted = _parser().parse_args(arguments)
    settings = load_settings()
    with KeycloakAdmin(settings) as admin:
        return int(wanted.run(settings, admin, wanted))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voxelhub user", description="People of this installation. VoxelHub must be running.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("add", help="make a user and print a password, once")
    add.add_argument("name")
    add.add_argument("--first", default="", help="first name")
    add.add_argument("--last", default="", help="last name")
    add.add_argument("--email", default="", help="e-mail address")
    add.add_argument("--role", action="append", choices=ROLES, help="may be repeated; researcher where none is given")
    add.add_argument("--project", action="append", default=[], metavar="PROJECT", help="member of this project; may be repeated")
    add.add_argument("--admin", action="store_true", help="administrator of VoxelHub")
    add.set_defaults(run=_add)

    for name, run, text in (
        ("reset", _reset, "print a new password, once; open sessions end"),
        ("disable", _disable, "lock a user out; running servers are stopped"),
        ("enable", _enable, "let a disabled user in again"),
        ("delete", _delete, "remove a user from the directory; home and data stay"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name")
        command.set_defaults(run=run)

    for name, run, text in (("join", _join, "make a user a member of a project"), ("leave", _leave, "end a membership")):
        command = commands.add_parser(name, help=text)
        command.add_argument("name")
        command.add_argument("project")
        if name == "join":
            part = command.add_mutually_exclusive_group()
            part.add_argument("--owner", action="store_const", const="owners", dest="part", help="who answers for the project")
            part.add_argument("--steward", action="store_const", const="stewards", dest="part", help="may cancel others' runs")
        command.set_defaults(run=run)

    listing = commands.add_parser("list", help="every user with groups and roles")
    listing.set_defaults(run=_list)
    return parser


def _add(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    roles = wanted.role or (["administrator"] if wanted.admin else ["researcher"])
    groups = [ADMINS_GROUP if wanted.admin else USERS_GROUP, *(f"/projects/{project}" for project in wanted.project)]
    admin.create_user(
        wanted.name, first=wanted.first or wanted.name, last=wanted.last or "-",
        email=wanted.email or f"{wanted.name}@voxelhub.invalid", roles=roles, groups=groups,
    )
    record(settings, "user.add", f"user:{wanted.name}", {"roles": roles, "groups": groups})
    _show(settings, wanted.name, admin.reset_password(wanted.name))
    return 0


def _reset(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    password = admin.reset_password(wanted.name)
    record(settings, "user.reset_password", f"user:{wanted.name}")
    _show(settings, wanted.name, password)
    return 0


def _show(settings: Settings, name: str, password: str) -> None:
    print(f"{settings.base_url}\n{name}   {password}\nThe password is shown this once.")


def _disable(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    admin.set_enabled(wanted.name, False)
    record(settings, "user.disable", f"user:{wanted.name}")
    print(f"{wanted.name} can no longer sign in; a running server stops within a minute.")
    return 0


def _enable(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    admin.set_enabled(wanted.name, True)
    record(settings, "user.enable", f"user:{wanted.name}")
    print(f"{wanted.name} can sign in again.")
    return 0


def _delete(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    admin.delete_user(wanted.name)
    record(settings, "user.delete", f"user:{wanted.name}")
    print(f"{wanted.name} is gone from the directory. Home and data stay.")
    return 0


def _join(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    groups = [f"/projects/{wanted.project}"] + ([f"/projects/{wanted.project}/{wanted.part}"] if wanted.part else [])
    for group in groups:
        admin.add_to_group(wanted.name, group)
    record(settings, "user.join", f"user:{wanted.name}", {"groups": groups})
    print(f"{wanted.name} is in {wanted.project}: in the panels at once, in notebooks after a restart of the server.")
    return 0


def _leave(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    prefix = f"/projects/{wanted.project}"
    groups = [group for group in admin.groups_of(wanted.name) if group == prefix or group.startswith(f"{prefix}/")]
    for group in groups:
        admin.remove_from_group(wanted.name, group)
    record(settings, "user.leave", f"user:{wanted.name}", {"groups": groups})
    print(f"{wanted.name} is no longer in {wanted.project}; a server that mounts it stops within a minute." if groups
          else f"{wanted.name} was not in {wanted.project}.")
    return 0


def _list(settings: Settings, admin: KeycloakAdmin, wanted: argparse.Namespace) -> int:
    for person in admin.users():
        state = "" if person.enabled else "   (disabled)"
        print(f"{person.name}{state}\n    roles:  {', '.join(admin.roles_of(person.name)) or '-'}"
              f"\n    groups: {', '.join(admin.groups_of(person.name)) or '-'}")
    return 0

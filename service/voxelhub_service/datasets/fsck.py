"""Do the catalogue and the project folders agree? For `voxelhub fsck`; nothing changes unless a repair is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ..context import Context
from ..database import reading, writing
from ..fsck.base import Check, Finding
from ..models import TERMINAL_STATES, Dataset, DatasetVersion, File, Project, Reservation, Run, Upload, utcnow
from . import manifest, storage

YOUNG = 5.0  # seconds: what a running service makes just now is not called a leftover


def files_of_rows(context: Context, deep: bool) -> list[Finding]:
    """Each row has its folder and file, of the right size, read-only; deep: with the right digest."""
    findings = []
    with reading(context.engine) as session:
        for version, dataset, project in _versions(session):
            folder = storage.version_folder(context, project.name, dataset.name, version.number)
            where = f"{project.name}/{dataset.name}/v{version.number}"
            rows = session.execute(select(File.path, File.size, File.sha256).where(File.version_id == version.id)).all()
            if not folder.is_dir():
                findings.append(Finding(f"{where} is in the catalogue, but its folder is missing."))
                continue
            wrong = [reason for row in rows if (reason := _wrong(folder, *row, deep))]
            findings += [Finding(f"{where}: {reason}") for reason in wrong[:20]]
            if len(wrong) > 20:
                findings.append(Finding(f"{where}: {len(wrong) - 20} more files are missing or changed."))
            if folder.stat().st_mode & 0o222:
                findings.append(Finding(f"{where} can be written to.", "make it read-only", partial(_close, folder)))
    return findings


def _wrong(folder: Path, path: str, size: int, sha256: str, deep: bool) -> str:
    shown = path if path.isprintable() else "a file with an unprintable name"
    try:
        stat = (folder / path).lstat()
    except FileNotFoundError:
        return f"the file {shown} is missing."
    if stat.st_size != size:
        return f"the file {shown} has another size than the catalogue says."
    if deep and storage.sha256_of(folder / path) != sha256:
        return f"the file {shown} has changed: its SHA-256 is not the one in the catalogue."
    return ""


def rows_of_files(context: Context, deep: bool) -> list[Finding]:
    """Each folder and file below the projects has a row."""
    with reading(context.engine) as session:
        known: dict[tuple[str, str], dict[str, str]] = {}
        for version, dataset, project in _versions(session):
            known.setdefault((project.name, dataset.name), {})[f"v{version.number}"] = version.id
        findings: list[Finding] = []
        for project_folder in _folders(context.settings.projects_dir):
            for dataset_folder in _folders(project_folder):
                versions = known.get((project_folder.name, dataset_folder.name), {})
                where = f"{project_folder.name}/{dataset_folder.name}"
                for path in sorted(dataset_folder.iterdir()):
                    name = path.name.removesuffix(".sha256")
                    if name not in versions and not _young(path):
                        findings.append(
                            Finding(f"{where}/{path.name} belongs to no version.", "remove it", partial(_remove, path))
                        )
                    elif path.is_dir() and name in versions:
                        findings += _strays(session, path, versions[name], where)
                if not versions and not any(dataset_folder.iterdir()) and not _young(dataset_folder):
                    findings.append(Finding(f"{where} is an empty folder.", "remove it", partial(_remove, dataset_folder)))
    return findings


def _strays(session: Session, folder: Path, version_id: str, where: str) -> Iterator[Finding]:
    paths = set(session.scalars(select(File.path).where(File.version_id == version_id)))
    for below, _, files in os.walk(folder):
        for name in files:
            path = Path(below, name)
            if path.relative_to(folder).as_posix() not in paths:
                yield Finding(f"{where}/{folder.name} holds a file that is in no row.", "remove it", partial(_remove, path))


def manifests(context: Context, deep: bool) -> list[Finding]:
    """Beside each version lies its manifest, whose digest is the version's identity and whose lines are its rows."""
    findings = []
    with reading(context.engine) as session:
        for version, dataset, project in _versions(session):
            folder = storage.version_folder(context, project.name, dataset.name, version.number)
            where = f"{project.name}/{dataset.name}/v{version.number}"
            rows = session.execute(select(File.path, File.size, File.sha256).where(File.version_id == version.id)).all()
            listing = manifest.render({path: manifest.Bytes(size, sha256) for path, size, sha256 in rows})
            if manifest.digest(listing) != version.digest:
                findings.append(Finding(f"{where}: the catalogue's files are not those of the version's digest."))
                continue
            path = storage.manifest_path(folder)
            if not path.is_file() or path.read_bytes() != listing:
                findings.append(Finding(f"{where}: its manifest is missing or changed.", "write it again",
                                        partial(_write_manifest, path, listing)))
    return findings


def leftovers(context: Context, deep: bool) -> list[Finding]:
    """No bytes in staging or among uploads without an open upload or unfinished run; no reservation outlives its upload."""
    findings = []
    with reading(context.engine) as session:
        uploads = set(session.scalars(select(Upload.id).where(Upload.state.in_(("open", "importing")))))
        runs = set(session.scalars(select(Run.id).where(Run.state.not_in(TERMINAL_STATES))))
        held = session.execute(select(Reservation.id, Reservation.holder).where(Reservation.holder.startswith("upload:"))).all()
        used = {project.name: (project.id, project.used_bytes, storage.count_used(session, project.id))
                for project in session.scalars(select(Project))}
    for path in sorted(context.settings.uploads_dir.iterdir()):
        if path.name not in uploads and not _young(path):
            findings.append(
                Finding(f"The bytes of upload {path.name} belong to no open upload.", "remove them", partial(_remove, path))
            )
    for path in sorted(context.settings.staging_dir.iterdir()):
        if path.name != "publish.lock" and path.name.split(".")[0] not in runs and not _young(path):
            findings.append(
                Finding(f"What was staged as {path.name} belongs to no unfinished run.", "remove it", partial(_remove, path))
            )
    for reservation, holder in held:
        if holder.removeprefix("upload:") not in uploads:
            findings.append(Finding(f"Quota is set aside for {holder}, which has ended.", "release it",
                                    partial(_release, context, reservation)))
    for name, (project_id, counted, real) in used.items():
        if counted != real:
            findings.append(Finding(f"The project {name} is said to use {counted} bytes; it uses {real}.", "correct it",
                                    partial(_recount, context, project_id)))
    return findings


def _versions(session: Session) -> list[tuple[DatasetVersion, Dataset, Project]]:
    return list(session.execute(
        select(DatasetVersion, Dataset, Project).join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .join(Project, Dataset.project_id == Project.id).order_by(Project.name, Dataset.name, DatasetVersion.number)).all())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()) if folder.is_dir() else []


def _young(path: Path) -> bool:
    try:
        return utcnow().timestamp() - path.lstat().st_ctime < YOUNG
    except FileNotFoundError:
        return True


def _remove(path: Path) -> str:
    if path.is_dir() and not path.is_symlink():
        storage.remove_tree(path)
    else:
        closed = not os.access(path.parent, os.W_OK) or path.parent.stat().st_mode & 0o200 == 0
        if closed:
            path.parent.chmod(0o755)
        path.unlink(missing_ok=True)
        if closed:
            path.parent.chmod(0o555)
    return "removed"


def _close(folder: Path) -> str:
    folder.chmod(0o555)
    return "made read-only"


def _write_manifest(path: Path, listing: bytes) -> str:
    manifest.write(path, listing)
    return "written"


def _release(context: Context, reservation: str) -> str:
    with writing(context.engine) as session:
        session.execute(delete(Reservation).where(Reservation.id == reservation))
    return "released"


def _recount(context: Context, project_id: str) -> str:
    with writing(context.engine) as session:
        session.get_one(Project, project_id).used_bytes = storage.count_used(session, project_id)
    return "corrected"


CHECKS = (
    Check("files", "each file of the catalogue is in its place", files_of_rows),
    Check("rows", "each file of the projects is in the catalogue", rows_of_files),
    Check("manifests", "each version has its manifest", manifests),
    Check("leftovers", "nothing is left of uploads and imports that ended", leftovers),
)

"""The one way in: what a file is, by its content, and the cleaner for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from . import naming, nifti, pictures, recognise, sequences, slides, tables, texts
from .outcome import Finding, Held, Outcome, Released, Report
from .streams import copied

if TYPE_CHECKING:
    from .pixels import TextFinder
    from .profile import Profile
    from .pseudonyms import Key

FINAL = ("unreadable", "not_whole")  # what no decision can release


def clean(
    source: Path,
    name: str,
    target: Path,
    *,
    key: Key,
    profile: Profile,
    waived: bool = False,
    finder: TextFinder | None = None,
) -> Outcome:
    """Writes `target` iff Released. `name` is the file's relative path; only its ending is used, and its grammar if it is BIDS.

    `waived`: a steward decided. What can be cleaned is, the rest is copied as it is; broken files stay held.
    Raises OSError of the disk only; never for content.
    """
    kind = recognise.kind_of(source, name)
    try:
        outcome = _cleaned(kind, source, name, target, key=key, profile=profile, waived=waived, finder=finder)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    except MemoryError:
        target.unlink(missing_ok=True)
        return TOO_LARGE
    except Exception:
        # A reader's own fault costs one file, and its text may hold content: only that it happened is told.
        target.unlink(missing_ok=True)
        return _broken(kind)
    if isinstance(outcome, Held):
        target.unlink(missing_ok=True)
        if not waived or not outcome.releasable or outcome.code in FINAL or kind == "dicom":
            return outcome  # a DICOM file is never copied with its header
        return _as_it_is(outcome, kind, source, name, target, key)
    if kind != "dicom" and (path := naming.bids_path(name, key)) is not None and path.endswith(naming.ending_of(outcome.path)):
        return dataclasses.replace(outcome, path=path)
    return outcome


def _cleaned(
    kind: str, source: Path, name: str, target: Path, *, key: Key, profile: Profile, waived: bool, finder: TextFinder | None
) -> Outcome:
    if kind == "dicom":
        from .dicom import clean_dicom  # heavy: pydicom and its decoders

        outcome: Outcome = clean_dicom(source, target, key=key, profile=profile, waived=waived, finder=finder)
        return outcome
    if kind == "tiff":
        return slides.clean_slide(source, target, key=key, waived=waived, finder=finder)
    if kind in ("png", "jpeg"):
        return pictures.clean_picture(source, target, key=key, finder=finder, waived=waived)
    if kind == "nifti":
        return nifti.clean_nifti(source, target, key=key, waived=waived)
    if kind in ("fastq", "fasta"):
        return sequences.clean_sequences(source, target, kind=kind, key=key, waived=waived)
    if kind in ("csv", "tsv"):
        return tables.clean_table(source, target, key=key, waived=waived)
    if kind in ("json", "numbers"):
        return texts.clean_text(source, target, kind=kind, ending=naming.ending_of(name), key=key, waived=waived)
    return HELD.get(kind, UNKNOWN)


TOO_LARGE = Held(
    "too_large",
    "This file needs more memory than is set aside for cleaning one file.",
    releasable=False,
    fix="Split it, or ask an administrator for more memory at the door.",
)
UNKNOWN = Held(
    "unknown_format",
    "VoxelHub does not know this kind of file, so it cannot tell what stands in it.",
    fix="Bring the data as DICOM, NIfTI, SVS, TIFF, PNG, JPEG, CSV, TSV, FASTQ or FASTA, or ask a data steward to look at it.",
)
HELD = {
    "document": Held(
        "document",
        "This is a document; its text and pictures may name people.",
        "Document",
        fix="Leave it out, or ask a data steward to read it.",
    ),
    "archive": Held(
        "archive_inside",
        "This is an archive that was not unpacked, so nobody knows what is in it.",
        "Archive",
        fix="Unpack it and bring in its files.",
    ),
    "text": Held(
        "free_text",
        "This is free text, which may name people.",
        "Text",
        fix="Leave it out, or ask a data steward to read it.",
    ),
    "slide": Held(
        "unknown_format",
        "This is a slide of a scanner whose label VoxelHub does not know how to remove.",
        "Slide",
        fix="Convert it to DICOM or SVS, or ask a data steward to look at it.",
    ),
    "pair": Held(
        "unknown_format",
        "This is one half of a NIfTI or Analyze pair; it is not understood without the other.",
        "Volume",
        fix="Convert the pair to one .nii file.",
    ),
    "video": Held(
        "waveform_or_video",
        "This is a recording; it may show or say who somebody is.",
        "Recording",
        fix="Leave it out, or ask a data steward to look at it.",
    ),
    "mismatch": Held(
        "unreadable",
        "The name of this file says what it is, but its content is something else.",
        releasable=False,
        fix="Export it again, or leave it out.",
    ),
    "empty": Held("unreadable", "This file is empty.", releasable=False, fix="Copy or export it again, or leave it out."),
}


def _broken(kind: str) -> Held:
    return Held(
        "unreadable",
        "This file could not be read; it seems to be damaged.",
        NAMES.get(kind, "File"),
        releasable=False,
        fix="Export it again, or leave it out.",
    )


NAMES = {"dicom": "DICOM", "tiff": "TIFF", "png": "PNG", "jpeg": "JPEG", "nifti": "NIfTI volume", "fastq": "FASTQ",
         "fasta": "FASTA", "csv": "Table", "tsv": "Table", "json": "JSON", "numbers": "Numbers"}  # fmt: skip


def _as_it_is(held: Held, kind: str, source: Path, name: str, target: Path, key: Key) -> Released:
    digest = copied(source, target)
    report = Report(held.what, findings=[Finding("waived", held.code), *held.findings], pixels="untouched")
    return Released(naming.neutral_name("file", digest, naming.ending_of(name), key), report)

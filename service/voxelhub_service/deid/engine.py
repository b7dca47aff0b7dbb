"""The engine: walks a DICOM data set to every depth and takes the action that PS3.15 Table E.1-1 and the profile name.

Closed by default: what is in no table and no dictionary goes, and what may hold free text passes a closed vocabulary.
The report counts tags and actions; no value leaves."""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.uid import UID

from . import codes, filemeta, marks, private
from .elements import decoded, items_of, text_of
from .outcome import Report
from .plan import Plan, plan
from .profile import Profile
from .pseudonyms import Key
from .steps import Run
from .table import kind_of

DEEPEST = 32
# Where names of persons and identifiers of the patient stand at top level: their words are no descriptors, whatever they mean.
_NAMING = (0x00100010, 0x00100020, 0x00101001, 0x00101005, 0x00101060, 0x00080090, 0x00081048, 0x00081050, 0x00081060, 0x00081070)


def clean_dataset(dataset: Dataset, *, key: Key, profile: Profile) -> Report:
    """Clean `dataset` in place, recursively, with its `file_meta` where it has one; pixels are another's work (pixels.py).

    The report names actions by tag; its `codes` are CID 7050 codes of what was applied."""
    kind = kind_of(_text(dataset, 0x00080016))
    report = Report(what=what_is(dataset))
    pseudonym, shift = _patient(dataset, key)
    run = Run(key, profile, report.actions, pseudonym, shift, _veto(dataset))
    former = marks.former_codes(dataset)
    _walk(dataset, run, plan(profile, kind, False), plan(profile, kind, True), 0)
    filemeta.clean(dataset, run)
    report.codes = marks.write(dataset, profile, former)
    return report


def what_is(dataset: Dataset) -> str:
    """The object in words: "DICOM CT Image Storage"."""
    uid = UID(_text(dataset, 0x00080016))
    return f"DICOM {uid.name}" if uid.startswith("1.2.840.10008.") and uid.name != uid else "DICOM object"


def _walk(dataset: Dataset, run: Run, own: Plan, strict: Plan, depth: int) -> None:
    safe = private.safe_elements(dataset) if run.profile.retain_safe_private else {}
    codes.clean(run, dataset)
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if tag >> 16 & 1:
            private.clean(dataset, element, safe.get(tag), run)
            continue
        step = own.step(tag, element.VR)
        if step.descends is None:
            step.take(run, dataset, element)
            continue
        items = items_of(dataset, tag) if depth < DEEPEST else None
        if items is None:
            run.remove(dataset, element)
            continue
        below = strict if step.descends == "strict" else own
        for item in items:
            _walk(item, run, below, strict, depth + 1)


def _patient(dataset: Dataset, key: Key) -> tuple[str, int]:
    """Pseudonym and date shift. Without a patient id the study stands for the patient, so that its objects still agree."""
    patient = decoded(dataset, dataset.get_item(0x00100020)).strip(" \0") if 0x00100020 in dataset else ""
    issuer = decoded(dataset, dataset.get_item(0x00100021)) if 0x00100021 in dataset else ""
    who = (patient, issuer) if patient else (_text(dataset, 0x0020000D), "no patient id, study instead")
    return key.patient(*who), key.shift_days(*who)


def _veto(dataset: Dataset) -> frozenset[str]:
    """Words of names and identifiers in this data set: none of them passes, however ordinary or short."""
    said = " ".join(decoded(dataset, dataset.get_item(tag)) for tag in _NAMING if tag in dataset)
    return frozenset(word for word in re.split(r"[^a-z0-9]+", said.lower()) if len(word) > 1)


def _text(dataset: Dataset, tag: int) -> str:
    return text_of(dataset.get_item(tag)).strip(" \0") if tag in dataset else ""

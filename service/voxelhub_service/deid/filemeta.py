"""File meta information (PS3.10, 7.1): the instance follows its data set, titles and private bytes go."""

from __future__ import annotations

from pydicom import Dataset

from .elements import text_of
from .steps import Run
from .uids import IMPLEMENTATION, IMPLEMENTATION_NAME

_KEPT = frozenset({0x00020001, 0x00020002, 0x00020003, 0x00020010})


def clean(dataset: Dataset, run: Run) -> None:
    """Clean `dataset.file_meta` in place, where there is one. The data set is clean already."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        return
    for tag in list(meta.keys()):
        if int(tag) not in _KEPT:
            if int(tag) != 0x00020000:
                run.count(meta.get_item(tag), "X")
            del meta[tag]
    meta.FileMetaInformationVersion = b"\0\1"
    for ours, theirs in ((0x00020002, 0x00080016), (0x00020003, 0x00080018)):
        if theirs in dataset:
            meta.add_new(ours, "UI", text_of(dataset.get_item(theirs)).strip(" \0"))
        elif ours in meta:
            run.remove(meta, meta.get_item(ours))
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = IMPLEMENTATION_NAME

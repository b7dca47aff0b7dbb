"""Neutral names of released files. Nothing of a source name gets into one, but for BIDS paths, whose grammar is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .decoding import words

if TYPE_CHECKING:
    from .pseudonyms import Key

# Endings that may follow a neutral name; any other becomes ".bin", as an ending can hold a name, too.
ENDINGS = (
    ".nii.gz", ".nii", ".dcm", ".svs", ".tiff", ".tif", ".png", ".jpg", ".csv", ".tsv", ".fastq.gz", ".fastq", ".fasta.gz",
    ".fasta", ".json", ".bval", ".bvec", ".txt", ".md", ".pdf", ".zip", ".tar.gz", ".tar", ".gz", ".npy", ".npz", ".nrrd",
    ".mha", ".h5", ".docx", ".xlsx", ".pptx", ".html", ".xml", ".rtf", ".edf", ".mp4",
)  # fmt: skip
SAME = {".jpeg": ".jpg", ".fq": ".fastq", ".fq.gz": ".fastq.gz", ".fa": ".fasta", ".fna": ".fasta", ".fa.gz": ".fasta.gz",
        ".markdown": ".md"}  # fmt: skip

# Brain Imaging Data Structure 1.10: https://bids-specification.readthedocs.io
FOLDERS = ("anat", "func", "dwi", "fmap", "perf", "pet", "eeg", "meg", "ieeg", "beh", "micr", "nirs", "motion", "mrs")
SUFFIXES = words(
    "T1w T2w T2star T2starw FLAIR PDw PDT2 inplaneT1 inplaneT2 angio defacemask T1map T2map T2starmap R1map R2map "
    "R2starmap PDmap UNIT1 MTRmap MTsat MTVmap MWFmap TB1map RB1map Chimap M0map S0map MEGRE MESE MP2RAGE MPM MTR MTS "
    "VFA IRT1 bold cbv phase sbref events physio stim dwi bval bvec phasediff phase1 phase2 magnitude magnitude1 "
    "magnitude2 fieldmap epi TB1AFI TB1DAM TB1EPI TB1RFM TB1SRGE TB1TFL RB1COR asl m0scan aslcontext asllabeling pet "
    "blood eeg meg ieeg channels electrodes coordsystem photo beh scans sessions mask dseg probseg"
)
ENTITIES = (
    "sub", "ses", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce", "trc", "stain", "rec", "dir", "run", "mod", "echo",
    "flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording", "chunk", "res", "den", "label", "desc",
)  # fmt: skip
# Labels that are kept as they are: numbers, and words of the specification. Any other label is a word of somebody.
NUMBERED = ("run", "echo", "flip", "inv", "split", "chunk")
WORDS = words(
    "rest AP PA LR RL IS SI on off mag phase real imag L R MNI152NLin2009cAsym MNI152NLin6Asym MNI152Lin T1w T2w bold "
    "brain"
)
ROOT_FILES = ("participants.tsv", "participants.json", "dataset_description.json")
BIDS_ENDINGS = (".nii.gz", ".nii", ".json", ".tsv.gz", ".tsv", ".bval", ".bvec")


def ending_of(name: str) -> str:
    """The ending of a source name when it is one that every file of its kind has, else ".bin"."""
    lower = name.lower()
    for ending in sorted((*ENDINGS, *SAME), key=len, reverse=True):
        if lower.endswith(ending):
            return SAME.get(ending, ending)
    return ".bin"


def neutral_name(kind: str, sha_of_clean_content: str, ending: str, key: Key) -> str:
    """`kind` and `ending` are ours, such as "volume" and ".nii.gz"."""
    return f"files/{kind}-{key.token('file', sha_of_clean_content, 16)}{ending}"


def subject_label(label: str, key: Key) -> str:
    """The pseudonym of a BIDS subject: letters and digits of the patient's, as in DICOM and tables."""
    return re.sub(r"[^A-Za-z0-9]", "", key.patient(label))


def session_label(label: str, key: Key) -> str:
    """An ordinal stays; any other may be a date."""
    return label if re.fullmatch(r"0?\d|[1-9]\d", label) else key.token("session", label, 8)


def bids_path(name: str, key: Key) -> str | None:
    """The path of a file of a BIDS tree with its labels replaced; None when `name` (a relative path) is not of that grammar.

    What stands before the first sub-… folder is left out.
    """
    parts = name.replace("\\", "/").split("/")
    if parts[-1] in ROOT_FILES:
        return parts[-1]
    starts = [at for at, part in enumerate(parts[:-1]) if re.fullmatch(r"sub-[A-Za-z0-9]+", part)]
    if not starts:
        return None
    folders = parts[starts[0] : -1]
    cleaned = [_entity(folders[0], key)]
    rest = folders[1:]
    if rest and re.fullmatch(r"ses-[A-Za-z0-9]+", rest[0]):
        cleaned.append(_entity(rest.pop(0), key))
    if len(rest) > 1 or (rest and rest[0] not in FOLDERS):
        return None
    file_name = _bids_name(parts[-1], key)
    if file_name is None or not parts[-1].startswith(folders[0] + "_"):
        return None
    return "/".join([*cleaned, *rest, file_name])


def _bids_name(name: str, key: Key) -> str | None:
    ending = next((ending for ending in BIDS_ENDINGS if name.endswith(ending)), None)
    if ending is None:
        return None
    *entities, suffix = name[: -len(ending)].split("_")
    if suffix not in SUFFIXES or any(not re.fullmatch(r"[a-z]+-[A-Za-z0-9]+", entity) for entity in entities):
        return None
    if any(entity.partition("-")[0] not in ENTITIES for entity in entities):
        return None
    return "_".join([*(_entity(entity, key) for entity in entities), suffix]) + ending


def _entity(entity: str, key: Key) -> str:
    name, _, label = entity.partition("-")
    if name == "sub":
        return f"sub-{subject_label(label, key)}"
    if name == "ses":
        return f"ses-{session_label(label, key)}"
    if label in WORDS or (name in NUMBERED and re.fullmatch(r"\d{1,3}", label)):
        return entity
    return f"{name}-{key.token('label', label, 8)}"

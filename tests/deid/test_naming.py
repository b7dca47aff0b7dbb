"""Neutral names: nothing of the source's, but the grammar of BIDS."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cleanable import KEY, TOKEN
from voxelhub_service.deid.naming import ENDINGS, bids_path, ending_of, neutral_name, subject_label
from voxelhub_service.deid.pseudonyms import Key


def test_a_neutral_name_depends_on_content_and_key() -> None:
    name = neutral_name("volume", "ab" * 32, ".nii.gz", KEY)
    assert re.fullmatch(r"files/volume-[a-z2-7]{16}\.nii\.gz", name)
    assert name == neutral_name("volume", "ab" * 32, ".nii.gz", KEY)
    assert (
        len(
            {
                name,
                neutral_name("volume", "ac" * 32, ".nii.gz", KEY),
                neutral_name("volume", "ab" * 32, ".nii.gz", Key(bytes(32))),
            }
        )
        == 3
    )


@given(st.text(max_size=30))
def test_an_ending_is_one_of_ours(name: str) -> None:
    assert ending_of(name) in (*ENDINGS, ".bin")


def test_endings() -> None:
    assert [ending_of(name) for name in ("a.NII.GZ", "x.jpeg", "r.fq.gz", "smith.john", "x.tar.gz")] == [
        ".nii.gz",
        ".jpg",
        ".fastq.gz",
        ".bin",
        ".tar.gz",
    ]


def test_bids_keeps_its_grammar() -> None:
    path = bids_path(f"{TOKEN}/sub-{TOKEN}/ses-20200131/anat/sub-{TOKEN}_ses-20200131_acq-{TOKEN}_run-02_T1w.nii.gz", KEY)
    assert path is not None and TOKEN not in path and "20200131" not in path
    subject = subject_label(TOKEN, KEY)
    assert re.fullmatch(rf"sub-{subject}/ses-(\w+)/anat/sub-{subject}_ses-\1_acq-[a-z2-7]{{8}}_run-02_T1w\.nii\.gz", path)
    beside = bids_path(f"sub-{TOKEN}/ses-20200131/anat/sub-{TOKEN}_ses-20200131_acq-{TOKEN}_run-02_T1w.json", KEY)
    assert beside == path.replace(".nii.gz", ".json")
    assert bids_path("sub-01/ses-2/func/sub-01_ses-2_task-rest_dir-AP_bold.nii.gz", KEY) == (
        f"sub-{subject_label('01', KEY)}/ses-2/func/sub-{subject_label('01', KEY)}_ses-2_task-rest_dir-AP_bold.nii.gz"
    )
    assert bids_path(f"{TOKEN}/participants.tsv", KEY) == "participants.tsv"
    assert subject_label("01", KEY) == KEY.patient("01").replace("-", "")


@pytest.mark.parametrize("name", [
    "smith.nii.gz", "sub-1/anat/smith.nii.gz", "sub-1/anat/sub-1_smith.nii.gz", "sub-1/smith/sub-1_T1w.nii.gz",
    "sub-1/anat/sub-1_who-x_T1w.nii",
    "sub-1/anat/sub-2_T1w.nii.gz", "sub-1/anat/x/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_T1w.doc", "sub-1", "", "a/b",
])  # fmt: skip
def test_other_paths_are_not_bids(name: str) -> None:
    assert bids_path(name, KEY) is None


@given(
    st.lists(
        st.sampled_from(
            [f"sub-{TOKEN}", f"ses-{TOKEN}", "anat", TOKEN, f"sub-{TOKEN}_T1w.nii.gz", f"sub-{TOKEN}_acq-{TOKEN}_bold.json"]
        ),
        max_size=6,
    )
)
def test_no_path_carries_a_word_of_the_source(parts: list[str]) -> None:
    assert TOKEN not in (bids_path("/".join(parts), KEY) or "")

"""The tools that ship, started as people start them: matched to a selection, in the sandbox, published as a dataset."""

import gzip
import json
import threading

import nibabel
import numpy as np
import pytest
from sqlalchemy import select
from support.service import ALICE
from support.slides import write_slide
from support.tools import installed
from support.world import add_project, add_version, audit_is_whole, make_world, run_row, until, versions_of
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading, writing
from voxelhub_service.models import TERMINAL_STATES, Dataset, Entry
from voxelhub_service.runs.making import create_tool_run, selected
from voxelhub_service.runs.worker import Worker
from voxelhub_service.tools.matching import match
from voxelhub_service.tools.registry import registry

TOOLS = ("segment-otsu", "radiomics-ibsi", "fastq-qc", "plan-slides")
pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not all(map(installed, TOOLS)), reason="a tool's environment is not installed"),
]


@pytest.fixture
def place(tmp_path):
    """A context with a worker, and a function that runs a tool on entries and gives the published ones by name."""
    context = make_world(tmp_path)
    project = add_project(context)
    worker = Worker(context)
    thread = threading.Thread(target=worker.run)
    thread.start()

    def run(tool: str, entries: list[str], **arguments) -> dict[str, tuple[str, str, bytes]]:
        manifest = registry(context.settings).get(tool)
        with writing(context.engine) as session:
            rows = [session.get_one(Entry, one) for one in entries]
            found = match(manifest.inputs, [selected(one) for one in rows], manifest.combinations)
            assert found.eligible, found.reason
            created = create_tool_run(
                context, session, ALICE, tool=tool, version=None, project="demo",
                inputs=found.assignment, arguments=arguments, output_title=None, request_id=None)
            run_id = created.id
        until(lambda: run_row(context, run_id).state in TERMINAL_STATES, 300)
        ended = run_row(context, run_id)
        assert (ended.state, ended.reason, ended.exit_code, ended.progress) == ("succeeded", "", 0, 1.0)
        (version,) = versions_of(context, run_id)
        with reading(context.engine) as session:
            dataset = session.get_one(Dataset, version.dataset_id)
            folder = context.settings.projects_dir / "demo" / dataset.name / f"v{version.number}"
            made = session.scalars(select(Entry).where(Entry.version_id == version.id)).all()
            return {one.path: (one.data_type, one.file_format, (folder / one.path).read_bytes()) for one in made}

    yield context, project, run
    worker.stop()
    thread.join(120)
    worker.executor.shutdown()


def nifti(voxels: np.ndarray) -> bytes:
    return nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes()


def test_from_a_volume_to_a_mask_to_features(place):
    context, project, run = place
    indices = np.indices((24, 24, 24))
    inside = ((indices - 12) ** 2).sum(0) <= 64
    voxels = (np.where(inside, 300, 20) + indices[0]).astype(np.int16)
    ids = add_version(context, project, "scans", {
        "a": ("volume", "ct-image", "nifti", {"a.nii": nifti(voxels)}),
        "b": ("volume", "mr-image", "nifti", {"b.nii": nifti(voxels)}),
    })
    made = run("segment-otsu", [ids["a"], ids["b"]])
    assert {path: kind[:2] for path, kind in made.items()} == {
        "a_mask.nii.gz": ("segmentation-mask", "nifti"), "b_mask.nii.gz": ("segmentation-mask", "nifti"),
        "volumes.csv": ("table", "csv")}
    lines = made["volumes.csv"][2].decode().splitlines()
    assert lines[1].startswith("a.nii,a_mask.nii.gz,other,no,") and lines[2].startswith("b.nii,b_mask.nii.gz,MR,yes,")
    mask = np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(made["a_mask.nii.gz"][2])).dataobj)
    np.testing.assert_array_equal(mask, inside)

    masks = add_version(context, project, "masks", {
        "m": ("volume", "segmentation-mask", "nifti", {"a_mask.nii.gz": made["a_mask.nii.gz"][2]})})
    made = run("radiomics-ibsi", [ids["a"], masks["m"]], modality="ct")
    assert {path: kind[:2] for path, kind in made.items()} == {
        "features.csv": ("feature-table", "csv"), "configuration.json": ("structured-data", "json")}
    header, row = made["features.csv"][2].decode().splitlines()
    values = dict(zip(header.split(","), row.split(","), strict=True))
    assert float(values["stat_mean"]) == pytest.approx(voxels[inside].mean()) and values["image"] == "a.nii"
    assert audit_is_whole(context)


def test_a_pair_of_reads(place):
    context, project, run = place
    reads = b"".join(b"@r%d\n%s\n+\n%s\n" % (number, b"ACGT" * 20, b"I" * 60 + b"#" * 20) for number in range(500))
    ids = add_version(context, project, "reads", {
        name: ("file", "sequence-reads", "fastq", {f"{name}.fastq": reads}) for name in ("s_R1", "s_R2")})
    made = run("fastq-qc", list(ids.values()))
    assert {path: kind[:2] for path, kind in made.items()} == {
        "s_R1_trimmed.fastq.gz": ("sequence-reads", "fastq"), "s_R2_trimmed.fastq.gz": ("sequence-reads", "fastq"),
        "s_R1_quality.html": ("quality-report", "html"), "s_R1_quality.json": ("quality-report", "json"),
        "quality.csv": ("table", "csv")}
    assert gzip.decompress(made["s_R1_trimmed.fastq.gz"][2]).count(b"ACGT" * 14) == 500


def test_a_slide_and_a_price_list(place, tmp_path):
    """The planner's own package is in its environment: the sandbox shows nothing of the checkout."""
    context, project, run = place
    prices = {"format": "voxelhub-price-list/1", "currency": "USD", "date": "2026-11-30", "nodes": [
        {"id": f"n{j}", "trust_domain": f"d{j}", "throughput_patches_per_s": 20.0 + j, "price_per_hour": 1.0} for j in range(6)]}
    ids = add_version(context, project, "slides", {
        "biopsy.svs": ("image", "whole-slide-image", "svs", {
            "biopsy.svs": write_slide(tmp_path / "biopsy.svs", 10, 8, 64).read_bytes()}),
        "prices.json": ("text", "structured-data", "json", {"prices.json": json.dumps(prices).encode()})})
    made = run("plan-slides", list(ids.values()), patch_size=64, time=1)
    assert {path: kind[:2] for path, kind in made.items()} == {"study.json": ("plan", "json"), "plans.csv": ("table", "csv")}
    study = json.loads(made["study.json"][2])
    assert [one["title"] for one in study["slides"]] == ["biopsy.svs"] and study["slides"][0]["columns"] == 10
    assert [one["id"] for one in study["nodes"]] == [one["id"] for one in prices["nodes"]] and study["front"]["plans"]
    assert audit_is_whole(context)

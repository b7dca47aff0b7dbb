"""Foreground by Otsu's threshold, as its environment runs it, against numpy, planted shapes and real volumes."""

import csv
import gzip
import io

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from support.tools import SHARED, installed, run_tool

pytestmark = pytest.mark.skipif(not installed("segment-otsu"), reason="the tool's environment is not installed")
OBLIQUE = np.array([[0.8, 0.1, 0, -30], [-0.1, 0.9, 0.2, 12], [0, -0.15, 2.5, 7], [0, 0, 0, 1.0]])
PLANTED = b"ZZTOP^SECRET"


def ball(shape=(40, 36, 30), radius=10, centre=None) -> np.ndarray:
    centre = centre or [size / 2 for size in shape]
    return sum((axis - middle) ** 2 for axis, middle in zip(np.indices(shape), centre, strict=True)) <= radius**2


def save(path, voxels, affine=OBLIQUE, kind=nibabel.Nifti1Image, **header):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = kind(voxels, affine)
    image.header.set_xyzt_units(header.pop("unit", "mm"))
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def noisy(truth: np.ndarray, dark=100.0, bright=300.0, noise=15.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (np.where(truth, bright, dark) + rng.normal(0, noise, truth.shape)).astype(np.float32)


def rows(ran) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ran.files()["volumes.csv"].decode())))


def mask_of(ran, name="1-a") -> nibabel.Nifti1Image:
    return nibabel.load(ran.output / f"{name.removeprefix('1-')}_mask.nii.gz")


def otsu_by_numpy(values: np.ndarray, bins: int) -> tuple[float, float]:
    """Every threshold tried; the best one, and the width of a bin."""
    counts, edges = np.histogram(values, bins)
    middles, best = (edges[:-1] + edges[1:]) / 2, (-1.0, 0.0)
    for cut in range(1, bins):
        low, high = counts[:cut].sum(), counts[cut:].sum()
        if low and high:
            between = low * high * ((counts[:cut] @ middles[:cut]) / low - (counts[cut:] @ middles[cut:]) / high) ** 2
            best = max(best, (float(between), float(edges[cut])))
    return best[1], float(edges[1] - edges[0])


def test_a_planted_ball_is_found_and_measured(tmp_path):
    truth = ball()
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [save(tmp_path / "1-a.nii.gz", noisy(truth))]})
    assert ran.code == 0, ran.said
    np.testing.assert_array_equal(np.asarray(mask_of(ran).dataobj), truth)
    (row,) = rows(ran)
    voxel = abs(np.linalg.det(OBLIQUE[:3, :3]))
    assert (row["volume"], row["mask"], row["modality"], row["bias_corrected"]) == ("a.nii.gz", "a_mask.nii.gz", "other", "no")
    assert int(row["voxels"]) == truth.sum() and float(row["voxel_mm3"]) == pytest.approx(voxel, rel=1e-6)
    assert float(row["volume_ml"]) == pytest.approx(truth.sum() * voxel / 1000, rel=1e-6)
    assert float(row["volume_mm3"]) == pytest.approx(1000 * float(row["volume_ml"]), rel=1e-6)
    inside = noisy(truth)[truth].astype(float)
    told = [float(row[f"{what}_intensity"]) for what in ("mean", "sd", "min", "max")]
    assert told == pytest.approx([inside.mean(), inside.std(), inside.min(), inside.max()], rel=1e-6)
    assert 0.9 < float(row["separability"]) < 1


@pytest.mark.parametrize("bins", [64, 256, 1000])
def test_the_threshold_is_otsus(tmp_path, bins):
    rng = np.random.default_rng(bins)
    values = np.concatenate([rng.normal(0, 40, 40_000), rng.normal(150, 60, 14_000)]).reshape(30, 30, 60).astype(np.float32)
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [save(tmp_path / "1-a.nii", values)]}, bins=bins, keep="all")
    wanted, width = otsu_by_numpy(values, bins)
    (row,) = rows(ran)
    assert float(row["threshold"]) == pytest.approx(wanted, abs=1.5 * width)
    expected = values > np.float32(row["threshold"])
    np.testing.assert_array_equal(np.asarray(mask_of(ran).dataobj), expected)
    assert (int(row["parts_found"]), int(row["parts_kept"])) == (ndimage.label(expected)[1],) * 2


@pytest.mark.parametrize(("arguments", "kept"), [
    ({}, {"large"}), ({"keep": "all"}, {"large", "middle", "small"}),
    ({"keep": "all", "smallest_part": 0.2}, {"large", "middle"}),
    ({"keep": "all", "smallest_part": 1.5}, {"large"}),
])
def test_parts_and_islands(tmp_path, arguments, kept):
    """1 mm voxels: balls of 4.2, 0.9 and 0.03 mL."""
    shape = (60, 40, 40)
    balls = {"large": ball(shape, 10, (15, 20, 20)), "middle": ball(shape, 6, (40, 20, 20)),
             "small": ball(shape, 2, (55, 20, 20))}
    path = save(tmp_path / "1-a.nii.gz", noisy(sum(balls.values()) > 0, noise=0), np.eye(4))
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [path]}, **arguments)
    assert ran.code == 0, ran.said
    np.testing.assert_array_equal(np.asarray(mask_of(ran).dataobj), sum(balls[name] for name in kept))
    assert (rows(ran)[0]["parts_found"], rows(ran)[0]["parts_kept"]) == ("3", str(len(kept)))


def test_holes_are_filled_on_wish_only(tmp_path):
    shell = ball(radius=12) & ~ball(radius=5)
    path = save(tmp_path / "1-a.nii.gz", noisy(shell, noise=0))
    for fill, expected in ((False, shell), (True, ball(radius=12))):
        ran = run_tool("segment-otsu", tmp_path / str(fill), {"volumes": [path]}, fill_holes=fill)
        np.testing.assert_array_equal(np.asarray(mask_of(ran).dataobj), expected)


def test_the_bias_field_is_corrected_for_mr_and_for_nothing_else(tmp_path):
    """A ball under a shading that no single threshold fits; N4 evens it out."""
    truth = ball((48, 48, 48), 16)
    shading = np.exp(np.linspace(-0.9, 0.9, 48))[:, None, None]
    shaded = (noisy(truth, dark=110, bright=400, noise=8).clip(1) * shading).astype(np.float32)
    path = save(tmp_path / "1-a.nii.gz", shaded, np.eye(4))

    def dice(input_name: str, folder: str) -> tuple[float, dict[str, str]]:
        ran = run_tool("segment-otsu", tmp_path / folder, {input_name: [path]}, save_corrected=True)
        assert ran.code == 0, ran.said
        mask = np.asarray(mask_of(ran).dataobj) > 0
        return 2 * (mask & truth).sum() / (mask.sum() + truth.sum()), rows(ran)[0]

    as_mr, row = dice("mr", "mr")
    assert (row["modality"], row["bias_corrected"]) == ("MR", "yes") and as_mr > 0.995
    as_other, row = dice("volumes", "other")
    assert (row["modality"], row["bias_corrected"]) == ("other", "no") and as_other < 0.96
    even = nibabel.load(tmp_path / "mr/a_corrected.nii.gz").get_fdata()[truth]
    given = nibabel.load(path).get_fdata()[truth]
    assert even.std() / even.mean() < 0.4 * given.std() / given.mean()
    assert not (tmp_path / "other/a_corrected.nii.gz").exists()


@pytest.mark.parametrize(
    "kind", ["oblique", "qform alone", "both, different", "big endian", "nifti 2", "metres", "trailing axis"])
def test_the_geometry_is_the_inputs_own(tmp_path, kind):
    truth = ball((20, 16, 12), 5)
    image = (nibabel.Nifti2Image if kind == "nifti 2" else nibabel.Nifti1Image)(noisy(truth, noise=0), OBLIQUE)
    image.header.set_xyzt_units("meter" if kind == "metres" else "mm", "sec")
    plain = np.diag([0.8, 0.9, 2.5, 1.0])
    if kind == "qform alone":
        image.set_qform(plain, 1)
        image.set_sform(None, 0)
    elif kind == "both, different":
        image.set_qform(plain, 1)
        image.set_sform(OBLIQUE, 4)
    elif kind == "big endian":
        header = image.header.as_byteswapped(">")
        image = nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), None, header)
        assert image.header.endianness == ">"
    elif kind == "trailing axis":
        image = nibabel.Nifti1Image(image.get_fdata()[..., None], OBLIQUE)
    image.header["descrip"] = image.header["aux_file"] = image.header["intent_name"] = PLANTED
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", PLANTED))
    nibabel.save(image, tmp_path / "1-a.nii")
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [tmp_path / "1-a.nii"]})
    assert ran.code == 0, ran.said
    given, mask = nibabel.load(tmp_path / "1-a.nii"), mask_of(ran)
    np.testing.assert_array_equal(mask.affine, given.affine)
    for name in ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z",
                 "srow_x", "srow_y", "srow_z"):
        np.testing.assert_array_equal(mask.header[name], given.header[name], name)
    np.testing.assert_array_equal(mask.header["pixdim"][:4], given.header["pixdim"][:4])
    assert mask.header.get_xyzt_units()[0] == given.header.get_xyzt_units()[0] and mask.shape == given.shape[:3]
    assert type(mask) is type(given) and mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(mask.dataobj), truth)
    scale = 1e9 if kind == "metres" else 1.0
    assert float(rows(ran)[0]["voxel_mm3"]) == pytest.approx(scale * abs(np.linalg.det(given.affine[:3, :3])), rel=1e-6)
    raw = gzip.decompress(ran.files()["a_mask.nii.gz"])
    assert b"SECRET" not in raw and "SECRET" not in ran.said


def test_equal_inputs_give_equal_bytes(tmp_path):
    rng = np.random.default_rng(1)
    shading = np.exp(np.linspace(-0.5, 0.5, 40))[:, None, None]
    path = save(tmp_path / "1-a.nii.gz", ((noisy(ball()) + rng.normal(0, 30, (40, 36, 30))) * shading).astype(np.float32))
    first, second = (run_tool("segment-otsu", tmp_path / name, {"volumes": [path], "mr": [path]}, save_corrected=True)
                     for name in ("one", "two"))
    assert first.code == 0 and first.files() == second.files() and len(first.files()) == 4


def test_many_volumes_give_a_mask_and_a_row_each(tmp_path):
    paths = [save(tmp_path / "in" / f"{number}-same.nii.gz", noisy(ball(radius=radius))) for number, radius in ((1, 8), (2, 9))]
    mr = save(tmp_path / "mr" / "1-\u80f8\u90e8 scan.nii.gz", noisy(ball(radius=7)))
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": paths, "mr": [mr]})
    assert ran.code == 0 and set(ran.files()) == {
        "same_mask.nii.gz", "same-2_mask.nii.gz", "\u80f8\u90e8_scan_mask.nii.gz", "volumes.csv"}
    assert [int(row["voxels"]) for row in rows(ran)] == [ball(radius=radius).sum() for radius in (8, 9, 7)]
    assert "::progress 1 done" in ran.said and "2 of 3 volumes" in ran.said


FLAT = np.diag([1.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize(("what", "sentence"), [
    ("nothing", "No volume is given."), ("four", "“a.nii” has 4 dimensions (8 × 8 × 8 × 3)."),
    ("picture", "“a.nii” is a single picture."),
    ("nan", "“a.nii” holds values that are no numbers"), ("infinite", "“a.nii” holds values that are no numbers"),
    ("constant", "Every voxel of “a.nii” has the same value"), ("colours", "“a.nii” holds colours"),
    ("text", "“a.nii” cannot be read as NIfTI"), ("truncated", "“a.nii” cannot be read as NIfTI"),
    ("truncated gzip", "“a.nii.gz” cannot be read as NIfTI"), ("flat", "“a.nii” does not say where its voxels lie"),
    ("huge", "“a.nii” has more than 134,217,728 voxels"), ("folder", "“a.nii” is a series of files."),
])
def test_what_cannot_be_segmented_is_said(tmp_path, what, sentence):
    path, voxels = tmp_path / "1-a.nii", noisy(ball((8, 8, 8), 3))
    good = save(tmp_path / "in" / "1-good.nii", noisy(ball()))
    if what == "four":
        save(path, np.stack([voxels] * 3, -1))
    elif what == "picture":
        save(path, voxels[:, :, :1])
    elif what in ("nan", "infinite"):
        voxels[2, 3, 4] = np.nan if what == "nan" else np.inf
        save(path, voxels)
    elif what == "constant":
        save(path, np.full((8, 8, 8), 7, np.int16))
    elif what == "colours":
        save(path, np.zeros((8, 8, 8), [("R", "u1"), ("G", "u1"), ("B", "u1")]))
    elif what == "text":
        path.write_text("no volume at all\n" * 100)
    elif what == "folder":
        path.mkdir()
    elif what == "flat":
        image = nibabel.Nifti1Image(voxels, None)
        image.header.set_sform(FLAT, 1)
        nibabel.save(image, path)
    elif what == "huge":
        header = nibabel.Nifti1Header()
        header.set_data_shape((2000, 2000, 2000))
        header["vox_offset"], header["magic"] = 352, b"n+1"
        path.write_bytes(header.binaryblock + bytes(400))
    elif what != "nothing":
        path = save(tmp_path / ("1-a.nii.gz" if "gzip" in what else "1-a.nii"), voxels)
        path.write_bytes(path.read_bytes()[:-300])
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [] if what == "nothing" else [good, path]})
    assert ran.code == 1 and sentence in ran.error and ran.error.endswith("."), ran.said
    assert "Traceback" not in ran.said and str(tmp_path) not in ran.said
    if what != "constant":
        assert ran.files() == {}


def test_a_mask_of_which_nothing_is_left_is_refused(tmp_path):
    path = save(tmp_path / "1-a.nii", noisy(ball((20, 20, 20), 4), noise=0), np.eye(4))
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [path]}, smallest_part=5)
    assert ran.code == 1 and ran.error == (
        "Nothing is left of “a.nii”: its largest part has fewer than 5 mL. Lower “Smallest part”.")


def test_an_mr_without_tissue_is_said(tmp_path):
    path = save(tmp_path / "1-a.nii", noisy(ball(), dark=-900, bright=-300))
    ran = run_tool("segment-otsu", tmp_path / "out", {"mr": [path]})
    assert ran.code == 1 and "has no tissue brighter than zero" in ran.error


REAL = SHARED / "volumes" / "sts" / "STS_002"


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_a_real_patient(tmp_path):
    """The leg in CT and T1: both scanners see the same body, and its outline is one part."""
    paths = {name: REAL / name / "expected_image.nii.gz" for name in ("CT", "MR_T1")}
    ran = run_tool("segment-otsu", tmp_path / "out", {"volumes": [paths["CT"]], "mr": [paths["MR_T1"]]})
    assert ran.code == 0, ran.said
    ct, mr = rows(ran)
    assert -600 < float(ct["threshold"]) < -200 and ct["parts_kept"] == "1"  # between air and fat, in Hounsfield units
    assert float(ct["separability"]) > 0.8 and mr["bias_corrected"] == "yes" and float(mr["volume_ml"]) > 100
    mask = nibabel.load(tmp_path / "out" / ct["mask"])
    np.testing.assert_array_equal(mask.affine, nibabel.load(paths["CT"]).affine)
    assert ndimage.label(np.asarray(mask.dataobj))[1] == 1

"""Radiomic features, as their environment computes them: the standard's reference values, planted regions, bad inputs."""

import csv
import io
import itertools
import json
import re
from math import floor, isfinite, log10, pi

import nibabel
import numpy as np
import pytest
from support.tools import SHARED, Ran, installed, run_tool

pytestmark = pytest.mark.skipif(not installed("radiomics-ibsi"), reason="the tool's environment is not installed")
IBSI = SHARED / "radiomics"
standard = pytest.mark.skipif(not IBSI.exists(), reason=f"{IBSI} is not there")
# Configurations of the standard's reference manual, section 5: A by slice on the voxels as they are, C in 3D on 2 mm.
CONFIGURATIONS = {
    "a": {"modality": "ct", "by_slice": True, "lowest": -500, "highest": 400, "bin_size": 25, "aggregation": "all"},
    "c": {"modality": "ct", "voxel_size": 2, "lowest": -1000, "highest": 400, "bin_size": 25, "ivh_bin_size": 2.5,
          "aggregation": "all"},
}
# MIRP's names of aggregations and the ones of the tables of reference values.
WORDS = (("2.5d_d_mrg", "2_5D_avg"), ("2.5d_v_mrg", "2_5D_comb"), ("2d_s_mrg", "2D_comb"), ("3d_v_mrg", "3D_comb"),
         ("2.5d", "2_5D"), ("2d", "2D"), ("3d", "3D"))
NAMELESS = [  # the standard defines the feature, and has codes for 10 and 90 per cent alone
    "ivh_v25", "ivh_v50", "ivh_v75", "ivh_i25", "ivh_i50", "ivh_i75", "ivh_diff_v25_v75", "ivh_diff_i25_i75"]
SAMPLED = {"morph_moran_i", "morph_geary_c"}  # from all pairs of voxels only with `exact`


def rows(ran: Ran) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ran.files()["features.csv"].decode())))


def tag(column: str) -> str:
    column = re.sub(r"_fb[sn]_[wn][0-9.]+$", "", column)
    column = re.sub(r"_d1(_a0\.0)?_", "_", column)
    for ours, theirs in WORDS:
        column = column.replace(ours, theirs)
    return column


def digits(reference: str) -> int:
    """As many as the reference gives, three at least: features have three, counts of voxels all."""
    return max(3, len(re.sub(r"[eE].*|[-.]", "", reference).strip("0")))


def compare(ran: Ran, reference, left_out: set[str] = frozenset()) -> tuple[int, list[str]]:
    """How many values agree, as the standard compares (three digits, its own tolerance), and a line for each that does not."""
    assert ran.code == 0, ran.said
    (row,) = rows(ran)
    values = {tag(column): text for column, text in row.items()}
    assert len(values) == len(row)
    agreed, wrong, lines = 0, [], [f"{'feature':<36}{'reference':>12}{'tolerance':>12}{'computed':>14}"]
    for one in csv.DictReader(reference.open(), delimiter=";"):
        if not one["reference value"] or one["tag"] in left_out:  # five features have no consensus
            continue
        text, wanted, tolerance = values.get(one["tag"], ""), float(one["reference value"]), float(one["tolerance"])
        got = float(text) if text else float("nan")
        places = digits(one["reference value"]) - 1
        rounded = got if got == 0 or not isfinite(got) else round(got, places - floor(log10(abs(got))))
        line = f"{one['tag']:<36}{wanted:>12g}{tolerance:>12g}{got:>14.6g}"
        if abs(rounded - wanted) <= tolerance * (1 + 1e-9):
            agreed += 1
        else:
            wrong.append(line)
        lines.append(line)
    print("\n".join([*lines, f"{agreed} of {agreed + len(wrong)} within tolerance"]))
    return agreed, wrong


@standard
def test_every_value_of_the_digital_phantom(tmp_path, capsys):
    folder = IBSI / "ibsi1-digital-phantom"
    ran = run_tool("radiomics-ibsi", tmp_path / "out", {"images": [folder / "phantom.nii.gz"], "masks": [folder / "mask.nii.gz"]},
                   modality="ct", discretisation="none", aggregation="all")
    with capsys.disabled():
        print()
        agreed, wrong = compare(ran, folder / "reference_values.csv")
    assert (agreed, wrong) == (482, [])


@standard
@pytest.mark.parametrize(("name", "expected"), [("a", 404), ("c", 268)])
def test_every_value_of_the_ct_phantom_that_needs_no_pairs_of_all_voxels(tmp_path, capsys, name, expected):
    folder = IBSI / "ibsi1-ct-phantom"
    ran = run_tool("radiomics-ibsi", tmp_path / "out", {"images": [folder / "phantom.nii.gz"], "masks": [folder / "mask.nii.gz"]},
                   **CONFIGURATIONS[name])
    with capsys.disabled():
        print(f"\nIBSI CT phantom, configuration {name.upper()}")
        agreed, wrong = compare(ran, folder / f"reference_config_{name}.csv", SAMPLED)
    assert (agreed, wrong) == (expected, [])


@pytest.mark.slow
@standard
@pytest.mark.parametrize(("name", "expected"), [("a", 406), ("c", 270)])
def test_every_value_of_the_ct_phantom(tmp_path, capsys, name, expected):
    folder = IBSI / "ibsi1-ct-phantom"
    ran = run_tool("radiomics-ibsi", tmp_path / "out", {"images": [folder / "phantom.nii.gz"], "masks": [folder / "mask.nii.gz"]},
                   seconds=3600, exact=True, **CONFIGURATIONS[name])
    with capsys.disabled():
        print(f"\nIBSI CT phantom, configuration {name.upper()}, exactly")
        agreed, wrong = compare(ran, folder / f"reference_config_{name}.csv")
    assert (agreed, wrong) == (expected, [])


def ball(shape=(24, 22, 20), radius=7.0, centre=None) -> np.ndarray:
    centre = centre or [size / 2 for size in shape]
    return sum((axis - middle) ** 2 for axis, middle in zip(np.indices(shape), centre, strict=True)) <= radius**2


def save(path, voxels, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels, np.diag([1.5, 1.5, 2.0, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = "ZZTOP^SECRET"
    nibabel.save(image, path)
    return path


def texture(shape=(24, 22, 20)) -> np.ndarray:
    return np.random.default_rng(5).normal(100, 20, shape).astype(np.float32)


def test_regions_measured_by_numpy(tmp_path):
    """Two regions of one mask: their rows hold numpy's numbers and the volume that geometry gives."""
    shape = (40, 24, 24)
    image, mask = texture(shape), np.zeros(shape, np.int16)
    mask[ball(shape, 8, (11, 12, 12))], mask[ball(shape, 4, (32, 12, 12))] = 3, 7
    given = {"images": [save(tmp_path / "1-a.nii.gz", image)], "masks": [save(tmp_path / "1-m.nii.gz", mask)]}
    ran = run_tool("radiomics-ibsi", tmp_path / "out", given, modality="mr", discretisation="bin_number", bin_number=16)
    assert ran.code == 0 and set(ran.files()) == {"features.csv", "configuration.json"}, ran.said
    got = rows(ran)
    assert [(row["image"], row["mask"], row["region"]) for row in got] == [("a.nii.gz", "m.nii.gz", one) for one in "37"]
    for row, label in zip(got, (3, 7), strict=True):
        inside = image[mask == label].astype(float)
        told = [float(row[f"stat_{what}"]) for what in ("mean", "var", "median", "min", "max", "energy")]
        assert told == pytest.approx([inside.mean(), inside.var(), np.median(inside), inside.min(), inside.max(),
                                      (inside**2).sum()], rel=1e-5)
        assert float(row["morph_vol_approx"]) == pytest.approx(inside.size * 4.5, rel=1e-6)
        assert int(float(row["int_mask_vox_count_reseg_roi"])) == inside.size
    sphere = 4 / 3 * pi * 8**3 * 4.5
    assert float(got[0]["morph_volume"]) == pytest.approx(sphere, rel=0.03)
    assert float(got[0]["morph_sphericity"]) > 0.9
    together = run_tool("radiomics-ibsi", tmp_path / "all", given, modality="mr", discretisation="bin_number", bin_number=16,
                        regions="together")
    (row,) = rows(together)
    assert row["region"] == "all" and float(row["stat_mean"]) == pytest.approx(image[mask > 0].mean(dtype=float), rel=1e-5)
    assert "SECRET" not in ran.said and b"SECRET" not in b"".join(ran.files().values())


def test_every_column_is_explained_and_the_configuration_recorded(tmp_path):
    mask = ball().astype(np.uint8)
    given = {"images": [save(tmp_path / "1-a.nii.gz", texture())], "masks": [save(tmp_path / "1-m.nii", mask)]}
    ran, again = (run_tool("radiomics-ibsi", tmp_path / name, given, modality="ct", voxel_size=2, bin_size=10, lowest=-200,
                           outliers=3) for name in ("out", "again"))
    assert ran.code == 0, ran.said
    assert ran.files() == again.files()
    told = json.loads(ran.files()["configuration.json"])
    meaning = told["columns"]
    header = list(rows(ran)[0])
    assert header[:3] == ["image", "mask", "region"]
    assert header[3:3 + len(meaning)] == [one["column"] for one in meaning] and len(meaning) > 170
    assert [one["column"] for one in meaning if not re.fullmatch(r"[A-Z0-9]{4,5}", one["ibsi_code"])] == NAMELESS
    by_column = {one["column"]: one for one in meaning}
    assert by_column["morph_volume"]["ibsi_code"] == "RNU0" and by_column["stat_mean"]["ibsi_code"] == "Q4LE"
    merged = by_column["cm_contrast_d1_3d_v_mrg_fbs_w10.0"]
    assert (merged["aggregation_code"], merged["discretisation_code"], merged["family_code"]) == ("IAZD", "Q3RU", "LFYI")
    assert told["software"]["mirp"] == "2.7.0" and told["arguments"]["voxel_size"] == 2
    assert told["mirp"]["resegmentation_intensity_range"] == [-200.0, None] and told["mirp"]["new_spacing"] == 2
    assert str(tmp_path) not in json.dumps(told)


@pytest.mark.parametrize("order", [False, True])
def test_which_mask_belongs_to_which_image(tmp_path, order):
    """By name: whatever the order, and two masks of one image. By order: whatever the names."""
    names = ("liver1", "liver10", "liver2")
    values = {name: float(100 * (number + 1)) for number, name in enumerate(names)}
    images = {name: save(tmp_path / "i" / f"{number + 1}-{name}.nii.gz", np.full((12, 12, 12), values[name], np.float32)
                         + np.arange(12, dtype=np.float32)) for number, name in enumerate(names)}
    mask = ball((12, 12, 12), 4).astype(np.uint8)
    if order:
        masks = [save(tmp_path / "m" / f"{number}-x{number}.nii", mask) for number in (1, 2, 3)]
        expected = list(zip(names, ("x1", "x2", "x3"), strict=True))
    else:
        named = ("liver2_b", "Liver10 mask", "liver1-a", "liver2_a")
        masks = [save(tmp_path / "m" / f"{number}-{name}.nii", mask) for number, name in enumerate(named, 1)]
        expected = [("liver1", "liver1-a"), ("liver10", "Liver10 mask"), ("liver2", "liver2_b"), ("liver2", "liver2_a")]
    ran = run_tool("radiomics-ibsi", tmp_path / "out", {"images": list(images.values()), "masks": masks}, modality="generic",
                   discretisation="bin_number", pairing="order" if order else "name")
    assert ran.code == 0, ran.said
    got = rows(ran)
    assert [(row["image"].split(".")[0], row["mask"].split(".")[0]) for row in got] == expected
    for row in got:
        assert float(row["stat_min"]) == pytest.approx(values[row["image"].split(".")[0]] + 2, abs=1)


IMAGE, MASK = texture((12, 12, 12)), ball((12, 12, 12), 4).astype(np.uint8)
HOLED = IMAGE.copy()
HOLED[0, 0, 0] = np.nan
SHIFTED, FINE = np.diag([1.5, 1.5, 2.0, 1.0]), np.diag([1.5, 1.5, 2.1, 1.0])
SHIFTED[0, 3] = 4.0
SLANTED = np.diag([1.5, 1.5, 2.0, 1.0])
SLANTED[0, 1] = 0.9


@pytest.mark.parametrize(("image", "mask", "arguments", "sentence"), [
    ((IMAGE,), (MASK[:, :, :10],), {},
     "“m.nii” does not lie on the grid of “a.nii”: it has 12 × 12 × 10 voxels, the image 12 × 12 × 12"),
    ((IMAGE,), (MASK, SHIFTED), {}, "“m.nii” does not lie on the grid of “a.nii”: it lies up to 4 mm beside it"),
    ((IMAGE,), (MASK, FINE), {}, "its voxels are 1.5 × 1.5 × 2.1 mm, the image's 1.5 × 1.5 × 2 mm"),
    ((IMAGE, SLANTED), (MASK, SLANTED), {}, "“a.nii” has slanted axes"),
    ((IMAGE,), (MASK * 0,), {}, "“m.nii” marks no voxel."),
    ((IMAGE,), (MASK * np.float32(0.5),), {}, "“m.nii” is no mask"),
    ((IMAGE,), (np.arange(1728, dtype=np.int16).reshape(12, 12, 12),), {},
     "“m.nii” holds 1727 regions; this tool takes at most 100."),
    ((HOLED,), (MASK,), {}, "“a.nii” holds values that are no numbers"),
    ((np.stack([IMAGE] * 2, -1),), (MASK,), {}, "“a.nii” has 4 dimensions (12 × 12 × 12 × 2)."),
    ((IMAGE[:, :, :1],), (MASK[:, :, :1],), {}, "“a.nii” is a single picture."),
    ((b"no volume at all" * 100,), (MASK,), {}, "“a.nii” cannot be read as NIfTI"),
    ((IMAGE,), (b"cut",), {}, "“m.nii” cannot be read as NIfTI"),
    ((IMAGE,), (MASK,), {"lowest": 500}, "Nothing is left of region 1 of “m.nii”"),
    ((IMAGE,), (MASK,), {"lowest": 5, "highest": 5}, "“Lowest intensity” is not below “Highest intensity”."),
    ((IMAGE,), (MASK,), {"discretisation": "none"}, "Without bins, intensities must be whole numbers from 1 on"),
    ((IMAGE,), (MASK,), {"by_slice": True}, "Choose a 2D or 2.5D aggregation."),
    ((IMAGE,), (MASK,), {"voxel_size": 0.01}, "“a.nii” would have more than 268,435,456 voxels of 0.01 mm."),
], ids=itertools.count())
def test_what_cannot_be_measured_is_said(tmp_path, image, mask, arguments, sentence):
    paths = []
    for name, given in (("1-a.nii", image), ("1-m.nii", mask)):
        if isinstance(given[0], bytes):
            cut = save(tmp_path / name, MASK).read_bytes()[:-500]
            (tmp_path / name).write_bytes(cut if given[0] == b"cut" else given[0])
        else:
            save(tmp_path / name, *given)
        paths.append(tmp_path / name)
    ran = run_tool("radiomics-ibsi", tmp_path / "out", {"images": paths[:1], "masks": paths[1:]}, modality="ct", **arguments)
    assert ran.code == 1 and sentence in ran.error and ran.error.endswith((".", "?")), ran.said
    assert "Traceback" not in ran.said and str(tmp_path) not in ran.said and ran.files() == {}


@pytest.mark.parametrize(("masks", "arguments", "sentence"), [
    (("left",), {}, "The name of the mask “left.nii” begins with no image's name."),
    (("b_mask",), {}, "No mask's name begins with “a”"),
    (("x", "y", "z"), {"pairing": "order"}, "There are 2 images and 3 masks."),
])
def test_pairs_that_nobody_can_tell(tmp_path, masks, arguments, sentence):
    images = [save(tmp_path / "i" / f"{number}-{name}.nii", IMAGE) for number, name in ((1, "a"), (2, "b"))]
    given = [save(tmp_path / "m" / f"{number}-{name}.nii", MASK) for number, name in enumerate(masks, 1)]
    ran = run_tool("radiomics-ibsi", tmp_path / "out", {"images": images, "masks": given}, modality="ct", **arguments)
    assert ran.code == 1 and sentence in ran.error, ran.said


def test_a_region_of_one_voxel_leaves_cells_empty(tmp_path):
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[5, 5, 5] = 1
    given = {"images": [save(tmp_path / "1-a.nii", IMAGE)], "masks": [save(tmp_path / "1-m.nii", mask)]}
    ran = run_tool("radiomics-ibsi", tmp_path / "out", given, modality="mr", discretisation="bin_number")
    assert ran.code == 0, ran.said
    (row,) = rows(ran)
    assert float(row["stat_mean"]) == pytest.approx(IMAGE[5, 5, 5]) and row["cm_contrast_d1_3d_v_mrg_fbn_n32"] in ("", "0")

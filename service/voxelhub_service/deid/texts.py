"""JSON beside images: numbers and technical words of known fields stay. Files of numbers stay. Other texts are held."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .decoding import decoded, words
from .naming import neutral_name
from .outcome import Held, Outcome, Released, Report
from .streams import BLOCK, Refused, refusals, unreadable, writing

if TYPE_CHECKING:
    from .pseudonyms import Key

LARGEST = 16 * 1024**2  # bytes of one JSON document
DEEPEST = 20

# Fields of image sidecars (BIDS 1.10, dcm2niix 1.0.2024) that describe how, not whom, when or where.
NUMBERS = words(
    "MagneticFieldStrength ImagingFrequency EchoTime EchoTime1 EchoTime2 RepetitionTime RepetitionTimeExcitation "
    "RepetitionTimePreparation InversionTime FlipAngle EchoNumber EchoTrainLength SliceThickness SpacingBetweenSlices "
    "SliceTiming SAR NumberOfAverages PercentPhaseFOV PercentSampling PhaseEncodingSteps "
    "PhaseEncodingStepsNoPartialFourier AcquisitionMatrixPE ReconMatrixPE BaseResolution PixelBandwidth DwellTime "
    "EffectiveEchoSpacing DerivedVendorReportedEchoSpacing TotalReadoutTime BandwidthPerPixelPhaseEncode "
    "ParallelReductionFactorInPlane ParallelReductionFactorOutOfPlane MultibandAccelerationFactor PartialFourier "
    "PartialFourierDirection AcquisitionDuration NumberOfVolumesDiscardedByScanner NumberOfVolumesDiscardedByUser "
    "NumberShots DelayTime VolumeTiming ImageOrientationPatientDICOM AccelFactPE TxRefAmp "
    "PhaseResolution PhaseOversampling DiffusionBValue BValue LabelingDuration PostLabelingDelay "
    "BackgroundSuppression M0Estimate KVP XRayTubeCurrent XRayExposure ExposureTime Exposure ReconstructionDiameter "
    "TableHeight GantryDetectorTilt FilterBodyThickness "
    "SamplingFrequency PowerLineFrequency EEGChannelCount RecordingDuration StartTime InjectedRadioactivity "
    "InjectedMass MolarActivity SpecificRadioactivity FrameTimesStart FrameDuration DecayCorrectionFactor "
    "RadionuclideHalfLife RadionuclideTotalDose RadionuclidePositronFraction ScatterFraction DoseCalibrationFactor "
    "FrameReferenceTime WaterFatShift CoilCombination SpoilingRFPhaseIncrement SpoilingGradientMoment "
    "SpoilingGradientDuration TaskDelay Intercept Slope RescaleSlope RescaleIntercept WindowCenter WindowWidth "
    "ShimSetting RefLinesPE InterpolationFactor"
)  # fmt: skip
# Field -> words (letter case apart) its value may have; anything else in it is dropped.
WORDS: dict[str, frozenset[str]] = {
    "Modality": words("mr ct pt us mg cr dx nm xa"),
    "Manufacturer": frozenset(["siemens", "siemens healthineers", "ge", "ge medical systems", "ge healthcare", "philips",
                               "philips medical systems", "philips healthcare", "toshiba", "canon", "canon_mec", "bruker", "uih",
                               "hitachi", "fujifilm", "hologic", "agfa"]),
    "PhaseEncodingDirection": frozenset(["i", "j", "k", "i-", "j-", "k-"]),
    "PhaseEncodingAxis": frozenset(["i", "j", "k"]),
    "SliceEncodingDirection": frozenset(["i", "j", "k", "i-", "j-", "k-"]),
    "InPlanePhaseEncodingDirectionDICOM": frozenset(["row", "col"]),
    "MRAcquisitionType": frozenset(["1d", "2d", "3d"]),
    "PatientPosition": words("hfs hfp hfdr hfdl ffs ffp ffdr ffdl"),
    "ScanningSequence": words("se ir gr ep rm se_ir gr_ir ep_se ep_gr gr\\ir se\\ir ep\\se ep\\gr"),
    "BodyPartExamined": words(
        "abdomen ankle breast brain chest head neck heart pelvis spine cspine tspine lspine knee hip shoulder elbow wrist "
        "hand foot kidney liver lung prostate extremity leg arm wholebody"
    ),
    "ConversionSoftware": frozenset(["dcm2niix"]),
    "DatasetType": frozenset(["raw", "derivative", "study"]),
    "PulseSequenceType": frozenset(["spin echo", "gradient echo", "epi", "mprage", "flash", "tse", "space"]),
    "ArterialSpinLabelingType": frozenset(["casl", "pcasl", "pasl"]),
    "Units": frozenset(["bq/ml", "hz", "rad/s", "arbitrary", "hu", "mm", "s", "tesla"]),
    "BodyPart": frozenset(["brain", "breast", "chest", "abdomen", "head", "pelvis"]),
    "SoftwareFilters": frozenset(["n/a"]),
    "EEGReference": frozenset(["cz", "average", "mastoid", "n/a"]),
}  # fmt: skip
LISTS = {"ImageType": words(
    "original derived primary secondary axial localizer m p r i nd norm dis2d dis3d mosaic phase magnitude real "
    "imaginary mfsplit diffusion none adc trace fa mpr reformatted average other"
)}  # fmt: skip
PATTERNS = {
    "BIDSVersion": re.compile(r"\d{1,2}\.\d{1,2}\.\d{1,2}"),
    "ConversionSoftwareVersion": re.compile(r"v\d\.\d\.20\d{6}"),
}
NAMED = frozenset([*NUMBERS, *WORDS, *LISTS, *PATTERNS])
LONG_NUMBER = re.compile(r"\d{7,}")


@refusals
def clean_text(source: Path, target: Path, *, kind: str, ending: str, key: Key, waived: bool = False) -> Outcome:
    """`kind`: "json" or "numbers". `ending`: of the source, one of naming.ENDINGS."""
    if kind == "json":
        return _json(source, target, key)
    return _numbers(source, target, ending, key)


def _json(source: Path, target: Path, key: Key) -> Outcome:
    if source.stat().st_size > LARGEST:
        reason = "This JSON document is too large to be checked."
        raise Refused(Held("too_large", reason, "JSON", fix="Ask a data steward to look at it."))
    raw = source.read_bytes()
    text = decoded(raw, whole=True)
    try:
        value = json.loads(text if text is not None else raw)
    except (ValueError, RecursionError):
        raise unreadable("JSON", "This file ends in .json or begins like JSON, but it is not valid JSON.") from None
    if not isinstance(value, dict) or not NAMED & value.keys():
        raise Refused(
            Held("free_text", "This JSON document is of a kind VoxelHub does not know, so its texts may name people.", "JSON",
                 fix="Turn it into a table of numbers and codes, or ask a data steward to read it.")
        )  # fmt: skip
    report = Report("JSON beside images")
    kept = {name: kept for name, given in value.items() if (kept := _kept(name, given, report)) is not None}
    with writing(target) as sink:
        sink.write((json.dumps(kept, indent=2, allow_nan=False) + "\n").encode())
    return Released(neutral_name("sidecar", sink.digest(), ".json", key), report)


def _kept(name: str, value: Any, report: Report) -> Any:
    """The value, or None when it is to go."""
    if name not in NAMED:
        report.actions["unknown field: removed"] += 1
        return None
    if name in NUMBERS and _only_numbers(value, DEEPEST):
        return value
    if isinstance(value, str):
        known = name in WORDS and value.strip().lower() in WORDS[name]
        if known or (name in PATTERNS and PATTERNS[name].fullmatch(value)):
            return value.strip()
    if name in LISTS and isinstance(value, list):
        kept = [word for word in value if isinstance(word, str) and word.lower() in LISTS[name]]
        if len(kept) < len(value):
            report.actions[f"{name}: words removed"] += len(value) - len(kept)
        return kept or None
    report.actions[f"{name}: removed"] += 1
    return None


def _only_numbers(value: Any, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_only_numbers(item, depth - 1) for item in value)
    if isinstance(value, bool):
        return True
    return isinstance(value, int | float) and abs(value) < 1e15 and value == value  # NaN is no JSON


def _numbers(source: Path, target: Path, ending: str, key: Key) -> Outcome:
    """Gradient directions, matrices, time courses. A number that could be one of a person or a day is not accepted."""
    reason = "This file holds something other than short numbers."
    held = Held("free_text", reason, "Numbers", fix="Ask a data steward to read it.")
    report = Report("Numbers")
    ending = ending if ending in (".bval", ".bvec", ".txt") else ".txt"
    with source.open("rb") as stream, writing(target) as sink:
        while line := stream.readline(BLOCK):
            try:
                parts = line.decode("ascii").split()
                list(map(float, parts))
            except ValueError:
                raise Refused(held) from None
            if any(LONG_NUMBER.match(part.lstrip("+-")) or "_" in part for part in parts):
                raise Refused(held)
            sink.write(" ".join(parts).encode() + b"\n")
    return Released(neutral_name("numbers", sink.digest(), ending, key), report)

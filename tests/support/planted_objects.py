"""Objects that refer to images or hold more than one: RTSTRUCT, SR, SEG, enhanced MR, presentation state, PDF, screens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydicom import Dataset
from support.planted import PERSON, Planter
from support.planted_dicom import SIDE, code, ct, general, pixels_of, put, put_pixels, reference, write

STORAGE = "1.2.840.10008.5.1.4.1.1"
RTSTRUCT, SEG, ENHANCED_MR, SR, PDF = (
    f"{STORAGE}.481.3",
    f"{STORAGE}.66.4",
    f"{STORAGE}.4.1",
    f"{STORAGE}.88.33",
    f"{STORAGE}.104.1",
)
SECONDARY, ULTRASOUND, PRESENTATION, ECG = f"{STORAGE}.7", f"{STORAGE}.6.1", f"{STORAGE}.11.1", f"{STORAGE}.9.1.1"
SCREENS = ("burned_in", "no_region_rule", "text_in_pixels")


def plant(planter: Planter) -> None:
    study(planter)
    with planter.file(".dcm", valid=True) as path:
        write(path, enhanced_mr(planter))
    with planter.file(".dcm") as path:
        write(path, presentation(planter))
    held(planter)


def study(planter: Planter, patient: str = "") -> dict[str, list[Dataset]]:
    """CT (three slices), RTSTRUCT, SEG and SR of one study that refer to each other; written, and returned by kind."""
    builders: list[tuple[str, Callable[[list[Dataset]], Dataset]]] = [
        *(("ct", lambda slices, number=number: _slice(planter, slices, patient, number)) for number in (1, 2, 3)),  # type: ignore[misc]
        *((each.__name__, lambda slices, each=each: each(planter, slices, patient)) for each in (rtstruct, seg, sr)),  # type: ignore[misc]
    ]
    made: dict[str, list[Dataset]] = {"ct": []}
    for kind, build in builders:
        with planter.file(".dcm", valid=True) as path:
            dataset = build(made["ct"])
            write(path, dataset)
        made.setdefault(kind, []).append(dataset)
    return made


def _slice(planter: Planter, slices: list[Dataset], patient: str, number: int) -> Dataset:
    dataset = ct(planter, patient, number)
    if slices:
        _of_study(planter, dataset, slices[0])
        dataset.SeriesInstanceUID = slices[0].SeriesInstanceUID
    return dataset


def _of_study(planter: Planter, dataset: Dataset, first: Dataset) -> Dataset:
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "StudyDate", "PatientBirthDate"):
        setattr(dataset, keyword, getattr(first, keyword))
    planter.date_again(first.StudyDate, "StudyDate")
    planter.date_again(first.PatientBirthDate, "PatientBirthDate")
    return dataset


def rtstruct(planter: Planter, slices: list[Dataset], patient: str = "") -> Dataset:
    dataset = _of_study(planter, general(planter, RTSTRUCT, "RTSTRUCT", patient), slices[0])
    dataset.StructureSetLabel, dataset.StructureSetName = planter.word("StructureSetLabel"), planter.word("StructureSetName")
    dataset.StructureSetDescription = f"{PERSON['family name']} {planter.word('StructureSetDescription')}"
    dataset.StructureSetDate, dataset.StructureSetTime = planter.date("StructureSetDate"), "120000"
    dataset.ApprovalStatus, dataset.ReviewerName = "APPROVED", planter.word("ReviewerName")
    dataset.ReviewDate, dataset.ReviewTime = planter.date("ReviewDate"), "120500"
    series, old_study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = slices[0].SeriesInstanceUID
    series.ContourImageSequence = [reference(each) for each in slices]
    old_study.ReferencedSOPClassUID, old_study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", slices[0].StudyInstanceUID
    old_study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = slices[0].FrameOfReferenceUID, [old_study]
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    roi, contours, contour, observation = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID, roi.ROIGenerationAlgorithm = 1, slices[0].FrameOfReferenceUID, "MANUAL"
    roi.ROIName, roi.ROIDescription = f"Liver {planter.word('ROIName')}", planter.word("ROIDescription")
    put(roi, 0x30060038, planter.word("ROIGenerationDescription"), "LO")
    contour.ContourImageSequence = [reference(slices[0])]
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 3
    contour.ContourData = [1, 1, 5, 4, 1, 5, 4, 4, 5]
    contours.ROIDisplayColor, contours.ReferencedROINumber, contours.ContourSequence = [255, 0, 0], 1, [contour]
    observation.ObservationNumber, observation.ReferencedROINumber = 1, 1
    observation.RTROIInterpretedType, observation.ROIInterpreter = "ORGAN", planter.word("ROIInterpreter")
    observation.ROIObservationLabel, observation.ROIObservationDescription = (
        planter.word("label", 14),
        planter.word("ROIObservationDescription"),
    )
    dataset.StructureSetROISequence, dataset.ROIContourSequence, dataset.RTROIObservationsSequence = (
        [roi],
        [contours],
        [observation],
    )
    return dataset


def seg(planter: Planter, slices: list[Dataset], patient: str = "") -> Dataset:
    dataset = _of_study(planter, general(planter, SEG, "SEG", patient), slices[0])
    dataset.ImageType, dataset.ContentLabel = ["DERIVED", "PRIMARY"], "SEGMENTATION"
    dataset.ContentDescription, dataset.ContentCreatorName = (
        planter.word("ContentDescription"),
        planter.word("ContentCreatorName"),
    )
    dataset.SegmentationType, dataset.SoftwareVersions = "BINARY", planter.word("SoftwareVersions")
    dataset.LossyImageCompression, dataset.BurnedInAnnotation = "00", "NO"
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentAlgorithmType = 1, "MANUAL"
    segment.SegmentLabel = f"Liver of {PERSON['given name']} {planter.word('SegmentLabel')}"
    segment.SegmentDescription = planter.word("SegmentDescription")
    segment.SegmentedPropertyCategoryCodeSequence = [code("123037004", "SCT", "Anatomical Structure")]
    segment.SegmentedPropertyTypeCodeSequence = [code("10200004", "SCT", "Liver")]
    segment.TrackingID, segment.TrackingUID = planter.word("TrackingID"), planter.uid("TrackingUID")
    dataset.SegmentSequence = [segment]
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = (
        slices[0].SeriesInstanceUID,
        [reference(each) for each in slices],
    )
    dataset.ReferencedSeriesSequence = [series]
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = index.DimensionOrganizationUID = planter.uid("DimensionOrganizationUID")
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00200032, 0x00209113
    index.DimensionDescriptionLabel = planter.word("DimensionDescriptionLabel")
    dataset.DimensionOrganizationSequence, dataset.DimensionIndexSequence = [organization], [index]
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = _groups(slices)
    mask = np.zeros((len(slices), SIDE, SIDE), np.uint8)
    mask[:, 4:9, 4:9] = 1
    put_pixels(dataset, mask)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = np.packbits(mask.ravel(), bitorder="little").tobytes()
    return dataset


def _groups(slices: list[Dataset]) -> tuple[list[Dataset], list[Dataset]]:
    shared, measures, orientation, frames = Dataset(), Dataset(), Dataset(), []
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [1.0, 1.0], 5.0, 5.0
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    for number, each in enumerate(slices, 1):
        frame, content, position, derivation, source, identification = (Dataset() for _ in range(6))
        content.DimensionIndexValues = number
        position.ImagePositionPatient = list(each.ImagePositionPatient)
        source = reference(each)
        source.PurposeOfReferenceCodeSequence = [code("121322", "DCM", "Source image for image processing operation")]
        derivation.SourceImageSequence = [source]
        derivation.DerivationCodeSequence = [code("113076", "DCM", "Segmentation")]
        identification.ReferencedSegmentNumber = 1
        frame.FrameContentSequence, frame.PlanePositionSequence = [content], [position]
        frame.DerivationImageSequence, frame.SegmentIdentificationSequence = [derivation], [identification]
        frames.append(frame)
    return [shared], frames


def content(relation: str, kind: str, name: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = relation, kind, [name]
    return item


def sr(planter: Planter, slices: list[Dataset], patient: str = "") -> Dataset:
    """A comprehensive SR: observer, findings in nested containers, measurements, references, dates."""
    dataset = _of_study(planter, general(planter, SR, "SR", patient), slices[0])
    del dataset.FrameOfReferenceUID
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ConceptNameCodeSequence = [code("126000", "DCM", "Imaging Measurement Report")]
    dataset.ReferencedPerformedProcedureStepSequence, dataset.PerformedProcedureCodeSequence = [], []
    evidence, series = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = slices[0].SeriesInstanceUID, [reference(each) for each in slices]
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = slices[0].StudyInstanceUID, [series]
    dataset.CurrentRequestedProcedureEvidenceSequence = [evidence]
    observer = content("HAS OBS CONTEXT", "PNAME", code("121008", "DCM", "Person Observer Name"))
    observer.PersonName = f"{PERSON['physician']}^{planter.word('PNAME')}"
    subject = content("HAS OBS CONTEXT", "UIDREF", code("121027", "DCM", "Specimen UID"))
    subject.UID = planter.uid("UIDREF")
    outer = content("CONTAINS", "CONTAINER", code("126010", "DCM", "Imaging Measurements"))
    inner = content("CONTAINS", "CONTAINER", code("125007", "DCM", planter.word("CODE meaning of a concept name")))
    outer.ContinuityOfContent = inner.ContinuityOfContent = "SEPARATE"
    text = content("CONTAINS", "TEXT", code("121071", "DCM", "Finding"))
    text.TextValue = f"{PERSON['given name']} {PERSON['family name']} of {PERSON['street']} Lane has {planter.word('TEXT')}"
    coded = content("CONTAINS", "CODE", code("121071", "DCM", "Finding"))
    coded.ConceptCodeSequence = [code("99-1", "99LOCAL", planter.word("CODE meaning of a local scheme"))]
    day = content("CONTAINS", "DATE", code("111060", "DCM", "Study Date"))
    day.Date = planter.date("DATE")
    moment = content("CONTAINS", "DATETIME", code("111535", "DCM", "DateTime of last evaluation"))
    moment.DateTime = planter.date("DATETIME") + "101500"
    picture = content("CONTAINS", "IMAGE", code("121112", "DCM", "Source of Measurement"))
    picture.ReferencedSOPSequence = [reference(slices[1])]
    number, measured = content("CONTAINS", "NUM", code("410668003", "SCT", "Length")), Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = 12.5, [code("mm", "UCUM", "millimeter")]
    number.MeasuredValueSequence = [measured]
    inner.ContentSequence, outer.ContentSequence = [text, coded, day, moment, picture, number], [inner]
    dataset.ContentSequence = [observer, subject, outer]
    return dataset


def enhanced_mr(planter: Planter) -> Dataset:
    """Two frames; words in the functional groups, shared and of each frame."""
    dataset = general(planter, ENHANCED_MR, "MR")
    dataset.ImageType, dataset.ContentQualification = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], "PRODUCT"
    dataset.AcquisitionDateTime = planter.date("AcquisitionDateTime") + "083015"
    dataset.BurnedInAnnotation, dataset.LossyImageCompression, dataset.SoftwareVersions = (
        "NO",
        "00",
        planter.word("SoftwareVersions"),
    )
    slices = [ct(planter, number=1), ct(planter, number=2)]
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = _groups(slices)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    procedure, protocol, anatomy = Dataset(), Dataset(), Dataset()
    procedure.StudyDescription = planter.word("StudyDescription of a functional group")
    procedure.InstitutionName = PERSON["hospital"]
    put(procedure, "PatientName", planter.word("PatientName of a functional group"))
    protocol.ProtocolName, protocol.ScheduledProcedureStepDescription = planter.word("protocol"), planter.word("step description")
    procedure.RequestAttributesSequence = [protocol]
    anatomy.AnatomicRegionSequence = [code("69536005", "SCT", "Head")]
    anatomy.FrameLaterality = "U"
    shared.ReferencedImageSequence, shared.FrameAnatomySequence = [procedure], [anatomy]
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence, 1):
        inside = frame.FrameContentSequence[0]
        inside.FrameComments, inside.FrameLabel = planter.word(f"FrameComments {number}"), planter.word(f"FrameLabel {number}")
        inside.StackID, inside.InStackPositionNumber = planter.word(f"StackID {number}"), number
        inside.FrameAcquisitionDateTime = planter.date(f"FrameAcquisitionDateTime {number}") + "083016"
        inside.FrameReferenceDateTime = planter.date(f"FrameReferenceDateTime {number}") + "083016"
        block = inside.private_block(0x0021, "PLANTED FRAME", create=True)
        put(inside, block.get_tag(1), planter.word(f"private text of frame {number}"), "LO")
    put_pixels(dataset, np.stack([pixels_of(1), pixels_of(2)]), signed=False)
    return dataset


def presentation(planter: Planter) -> Dataset:
    """A presentation state whose graphics say a name."""
    image = ct(planter)
    dataset = _of_study(planter, general(planter, PRESENTATION, "PR"), image)
    dataset.ContentLabel, dataset.ContentDescription = "STATE", planter.word("ContentDescription")
    dataset.ContentCreatorName = planter.word("ContentCreatorName")
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = planter.date("PresentationCreationDate"), "120000"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = image.SeriesInstanceUID, [reference(image)]
    dataset.ReferencedSeriesSequence = [series]
    note, text, layer = Dataset(), Dataset(), Dataset()
    text.UnformattedTextValue = f"{PERSON['family name']} {planter.word('UnformattedTextValue')}"
    text.BoundingBoxAnnotationUnits = text.AnchorPointAnnotationUnits = "PIXEL"
    text.AnchorPoint, text.AnchorPointVisibility = [1.0, 1.0], "N"
    note.GraphicLayer, note.TextObjectSequence = "LAYER1", [text]
    layer.GraphicLayer, layer.GraphicLayerOrder, layer.GraphicLayerDescription = (
        "LAYER1",
        1,
        planter.word("GraphicLayerDescription"),
    )
    dataset.GraphicAnnotationSequence, dataset.GraphicLayerSequence = [note], [layer]
    dataset.PresentationLUTShape = "IDENTITY"
    return dataset


def held(planter: Planter) -> None:
    """What no rule makes safe: each is held, and released only by a steward."""
    with planter.file(".dcm", "document") as path:
        dataset = general(planter, PDF, "DOC")
        dataset.DocumentTitle, dataset.MIMETypeOfEncapsulatedDocument = planter.word("DocumentTitle"), "application/pdf"
        dataset.BurnedInAnnotation = "YES"
        put(dataset, 0x00420011, b"%PDF-1.4\n% " + planter.word("text of an encapsulated PDF").encode() + b"\n%%EOF\n", "OB")
        write(path, dataset)
    for sop_class, modality, flag, codes in (
        (SECONDARY, "OT", "YES", SCREENS), (SECONDARY, "OT", "", SCREENS), (ULTRASOUND, "US", "NO", SCREENS),
        (ULTRASOUND, "US", "", SCREENS),
    ):  # fmt: skip
        with planter.file(".dcm", *codes) as path:
            dataset = general(planter, sop_class, modality)
            dataset.ConversionType, dataset.ImageType = "WSD", ["DERIVED", "SECONDARY"]
            dataset.SecondaryCaptureDeviceID, dataset.ImageComments = (
                planter.word("SecondaryCaptureDeviceID"),
                planter.word("ImageComments"),
            )
            if flag:
                dataset.BurnedInAnnotation = flag
            put_pixels(dataset, np.full((64, 96, 3), 90, np.uint8))
            write(path, dataset)
    with planter.file(".dcm", "burned_in", "text_in_pixels") as path:
        dataset = ct(planter)
        dataset.BurnedInAnnotation = "YES"
        write(path, dataset)

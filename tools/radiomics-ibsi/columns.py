"""What each column of the feature table is: its name and code in the IBSI reference manual, from MIRP's own definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from configuration import AGGREGATION_CODES
from mirp._features.feature_generator import generate_features
from mirp.settings.import_config_parameters import import_configuration_settings

FAMILIES = {  # the beginning of a column's name -> family and its code
    "morph": ("Morphology", "HCUG"), "loc": ("Local intensity", "9ST6"), "stat": ("Intensity-based statistics", "UHIW"),
    "ih": ("Intensity histogram", "ZVCW"), "ivh": ("Intensity-volume histogram", "P88C"),
    "cm": ("Grey level co-occurrence matrix", "LFYI"), "rlm": ("Grey level run length matrix", "TP0I"),
    "szm": ("Grey level size zone matrix", "9SAK"), "dzm": ("Grey level distance zone matrix", "VMDZ"),
    "ngt": ("Neighbourhood grey tone difference matrix", "IPET"), "ngl": ("Neighbouring grey level dependence matrix", "REK0"),
}
DISCRETISATION_CODES = {"fixed_bin_number": "K15C", "fixed_bin_size": "Q3RU"}


@dataclass(frozen=True)
class Column:
    column: str
    feature: str
    ibsi_code: str
    family: str
    family_code: str
    aggregation: str
    aggregation_code: str
    discretisation: str
    discretisation_code: str


def columns(mirp: dict[str, Any]) -> list[Column]:
    """Of all features that MIRP computes with these keywords and that the standard defines, in its order."""
    settings = import_configuration_settings(compute_features=True, **{
        name: value for name, value in mirp.items() if name != "image_modality"})[0].feature_extr
    found = []
    for feature in generate_features(settings=settings):
        feature.update_ibsi_compliance()
        if not feature.ibsi_compliant:
            continue
        feature.create_table_name()
        family, code = FAMILIES[feature.table_name.partition("_")[0]]
        aggregation = getattr(feature, "spatial_method", None) or ""
        method = getattr(feature, "discretisation_method", None) or ""
        found.append(Column(
            feature.table_name, _name(feature.name), feature.ibsi_id or "", family, code, aggregation,
            AGGREGATION_CODES.get(aggregation, ""), method, DISCRETISATION_CODES.get(method, "")))
    return found


def _name(name: str) -> str:
    """Without the family before it."""
    return re.sub(r"^[^-]+ - ", "", name)

"""Exact plans for work sent to machines nobody trusts: split, measure what each party sees, and choose where it runs.

Needs numpy and scipy alone; imports no Jupyter, no web framework and no other part of VoxelHub. Reading slides and sealing ask
for OpenSlide and cryptography (extra `planner-slides`) when they are called, not before.
"""

from .attack import OrderLeak, Recovery, coordinate_attack, order_leak
from .calibrate import Calibration, calibrate
from .codesign import Design, codesign
from .colouring import greedy_colouring
from .comparing import compared, narrowed
from .errors import PlannerError
from .jigsaw import Jigsaw, jigsaw_selftest
from .leakage import Leakage, leakage
from .model import Front, Limits, Node, Plan, Relaxation, Slide, Workload
from .opaque import new_key, opaque_ids, read_key, write_key
from .paper_metrics import PaperMetrics, paper_metrics
from .planning import Undecided, cheapest, plan_front
from .prices import PriceList, example_prices, read_price_list, with_calibration
from .sealing import (
    Manifest,
    Opened,
    check_fragments,
    joined_mask,
    open_fragments,
    open_manifest,
    open_results,
    read_results,
    seal,
)
from .slides import Grid, SlidePatches, opened_slide, patch_grid
from .splitting import split
from .study import Request, study_of_slides, study_of_workload
from .sweep import matrix_front
from .views import slide_of

__all__ = [
    "Calibration", "Design", "Front", "Grid", "Jigsaw", "Leakage", "Limits", "Manifest", "Node", "Opened", "OrderLeak",
    "PaperMetrics", "Plan", "PlannerError", "PriceList", "Recovery", "Relaxation", "Request", "Slide", "SlidePatches",
    "Undecided", "Workload", "calibrate", "cheapest", "check_fragments", "codesign", "compared", "coordinate_attack",
    "example_prices", "greedy_colouring", "jigsaw_selftest", "joined_mask", "leakage", "matrix_front", "narrowed", "new_key",
    "opaque_ids", "open_fragments", "open_manifest", "open_results", "opened_slide", "order_leak", "paper_metrics",
    "patch_grid", "plan_front", "read_key", "read_price_list", "read_results", "seal", "slide_of", "split", "study_of_slides",
    "study_of_workload", "with_calibration", "write_key",
]

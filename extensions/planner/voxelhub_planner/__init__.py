"""Exact plans for work sent to machines nobody trusts: split, measure what each party sees, and choose where it runs.

Needs numpy alone; imports no Jupyter, no web framework and no other part of VoxelHub.
"""

from .errors import PlannerError
from .leakage import Leakage, leakage
from .model import Limits, Node, Plan, Slide, Workload
from .splitting import split
from .sweep import matrix_front

__all__ = ["Leakage", "Limits", "Node", "Plan", "PlannerError", "Slide", "Workload", "leakage", "matrix_front", "split"]

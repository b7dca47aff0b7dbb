"""The planner's views in a notebook, or as a page of its own: `StudyView(study)`, `write_page(study, path)`."""

from .page import write_page
from .view import StudyView

__all__ = ["StudyView", "write_page"]

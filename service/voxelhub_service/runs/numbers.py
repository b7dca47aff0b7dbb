"""What runs are called: numbers within a project, none ever given twice."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ..models import RunCounter


def next_number(session: Session, project_id: str, count: int = 1) -> int:
    """The next run number of a project, the first of `count` that follow each other."""
    counter = session.get(RunCounter, project_id)
    if counter is None:
        counter = RunCounter(project_id=project_id, next_number=1)
        session.add(counter)
    number = counter.next_number
    counter.next_number = number + count
    session.flush()
    return number

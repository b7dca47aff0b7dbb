"""For the hub alone, whose notebook servers are pods: folders before they are mounted, and what servers use."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ..errors import Problem
from ..ledger.of_servers import keep_told
from ..projects.folders import ensure_folders
from ..wire import ProjectFolders
from ..wire_spend import ServersUse
from .deps import ContextDep

router = APIRouter()


@router.post("/internal/projects", status_code=204, response_class=Response, include_in_schema=False)
def make_folders(body: ProjectFolders, context: ContextDep) -> None:
    """Idempotent. A folder that kubelet has to make would belong to root."""
    try:
        ensure_folders(context.settings, body.projects)
    except OSError as error:
        raise Problem(503, "no_folder", f"The folder of a project cannot be made ({error.strerror}).",
                      "An administrator looks at the volume of the state.") from None


@router.post("/internal/servers", status_code=204, response_class=Response, include_in_schema=False)
def keep_servers(body: ServersUse, context: ContextDep) -> None:
    """Idempotent: counters only grow. The worker takes them into the ledger."""
    keep_told(context.settings.servers_dir, body.servers)

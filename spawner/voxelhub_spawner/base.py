"""What every spawner of VoxelHub does alike: offers profiles, decides, refuses in a sentence, and tells the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from jupyterhub.spawner import Spawner, SpawnException
from sqlalchemy.orm import object_session
from traitlets import Any as AnyTrait
from traitlets import Dict, List
from traitlets.config import LoggingConfigurable
from voxelhub_sandbox.profiles import Profile, Refused, ServerSpec, resolve, visible_profiles

from .form import Choice, Note, options_form


class NotStarted(SpawnException):  # type: ignore[misc]
    """No server, and why: one sentence for the user, and what was said behind it for whoever looks into it."""

    def __init__(self, sentence: str, *, reason: str, status_code: int, behind: str = "") -> None:
        super().__init__(sentence, reason=reason, status_code=status_code, message_html=folded(sentence, behind),
                         log_message=f"{sentence} {behind}".strip())
        self.jupyterhub_message = sentence  # else the hub's pages show the exception's class and reason
        if behind:
            self.jupyterhub_html_message = self.message_html


def folded(sentence: str, behind: str) -> str:
    if not behind:
        return escape(sentence)
    return (f"{escape(sentence)}<details class=\"vh-behind\"><summary>What the cluster said</summary>"
            f"<pre style=\"white-space: pre-wrap; text-align: start\">{escape(behind)}</pre></details>")


class VoxelHubSpawner(LoggingConfigurable):  # type: ignore[misc]
    """To be mixed in before a class that starts, stops and polls: JupyterHub takes no Spawner without these."""

    profiles = List(help="voxelhub_sandbox.profiles.Profile, in the order of the form.").tag(config=True)
    limits = AnyTrait(None, help="voxelhub_sandbox.profiles.Limits of this machine; None: not known.").tag(config=True)
    variables = Dict(help="Further environment variables of every server.").tag(config=True)
    slug_for = AnyTrait(help="User name -> name of the home folder.").tag(config=True)
    projects_for = AnyTrait(help="User name, groups -> names of the projects to mount.").tag(config=True)
    spend = AnyTrait(None, help="Who knows budgets: async show(user), refusal(user); None: nobody.").tag(config=True)
    report = AnyTrait(lambda *_, **__: None, help="Called as report(actor, action, resource, outcome, detail).").tag(config=True)

    projects: list[str]  # mounted in the server that runs

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projects = []
        self.options_form = self._form
        self.apply_user_options = lambda *_: None  # `decide` does
        self.options_from_form = self._options

    # what one may choose

    @property
    def _groups(self) -> set[str]:
        return {group.name for group in self.user.groups}

    def _options(self, form: Mapping[str, Sequence[str]]) -> dict[str, str]:
        return {"profile": form.get("profile", [""])[0]}

    async def _form(self, _: Spawner) -> str:
        profiles: list[Profile] = visible_profiles(self._groups, self.profiles, self.limits)
        spent = await self.spend.show(self.user.name) if self.spend is not None else None
        last = self.user_options or {}
        return options_form(
            profiles, str(last.get("profile", "")), spent.budgets if spent else (), spent.refused if spent else "",
            notes=await self._notes(profiles), projects=self._choices(), project=str(last.get("project", "")))

    async def _notes(self, _: Sequence[Profile]) -> dict[str, Note]:
        """Profile name -> what is to be said of it now."""
        return {}

    def _choices(self) -> list[Choice]:
        """The projects a server may be of; none where it has no such option."""
        return []

    def _own_projects(self) -> list[str] | None:
        """Their names, as `resolve` wants them."""
        return None

    # decisions

    def decide(self) -> ServerSpec:
        """The specification for the options of this start; a refusal is shown to the user and audited."""
        try:
            return resolve(self._groups, self.user_options or {}, self.profiles, self.limits, self._own_projects())
        except Refused as refusal:
            raise self._refused(str(refusal), "refused") from None

    async def _refuse_spent(self) -> None:
        """Where a budget is spent, or cannot be asked."""
        if self.spend is not None and (why := await self.spend.refusal(self.user.name)):
            raise self._refused(why, "budget")

    def _refused(self, sentence: str, reason: str) -> SpawnException:
        self.report(self.user.name, "server.start", self._resource, "denied", {"reason": sentence})
        return NotStarted(sentence, reason=reason, status_code=403)

    # what others are told

    @property
    def _resource(self) -> str:
        return f"server:{self.user.name}/{self.name}"

    def _report_start(self, detail: Mapping[str, Any]) -> None:
        self.report(self.user.name, "server.start", self._resource, "success", dict(detail))
        for project in self.projects:
            self.report(self.user.name, "project.mount", f"project:{project}", "success",
                        {"server": self.name, "mode": "read-only"})

    def _remember(self) -> None:
        """At once, not when the server answers: a hub that is killed in between must find it again."""
        self.orm_spawner.state = self.get_state()
        session = object_session(self.orm_spawner)
        if session is not None:
            session.commit()

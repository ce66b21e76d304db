"""Reflective sessions with what they need from elsewhere: files, and MLflow's prompt registry."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.optimization.reflective.by_endpoint import turn_by_endpoint
from ml_orchestrator.optimization.reflective.desk import ReflectiveDesk
from ml_orchestrator.optimization.reflective.endpoint import open_endpoint
from ml_orchestrator.optimization.reflective.models import Brief, HandIn, NewSession
from ml_orchestrator.orchestration.prompt_files import read_examples
from ml_orchestrator.orchestration.prompt_places import check_place
from ml_orchestrator.settings import Settings

if TYPE_CHECKING:  # MLflow takes seconds to load, and few sessions need it
    from ml_orchestrator.orchestration.prompt_versions import PromptVersions

__all__ = ["Reflection", "Versions"]

Versions: TypeAlias = "AbstractContextManager[PromptVersions]"
"""The prompt registry, open for as long as it is used."""


class Reflection:
    """Begins sessions, takes what is handed in, registers what is confirmed. Thread-safe."""

    def __init__(
        self, settings: Settings, versions: Callable[[], Versions], *, key: str | None = None
    ) -> None:
        self._settings = settings
        self._versions = versions
        self._key = key
        self._desk = ReflectiveDesk(settings.home)

    def describe(self) -> str:
        """Return how many sessions are kept, in a line for people."""
        return f"{self._desk.n_sessions()} sessions kept"

    def begin(self, new: NewSession, *, agent: str) -> Brief:
        """Begin a session and return its first brief.

        Raises:
            InvalidInputError: what a session needs lacks or cannot be used.
            NotFoundError: there is no such file.
        """
        return self._desk.begin(
            new.prompt,
            read_examples(self._settings, new.examples)
            if isinstance(new.examples, str)
            else new.examples,
            agent=agent,
            checks=new.checks,
            budget=new.budget,
            minibatch=new.minibatch,
            max_added_tokens=new.max_added_tokens,
            seed=new.seed,
        )

    def brief(self, session: str) -> Brief:
        """Return where a session stands.

        Raises:
            NotFoundError: there is none of this name.
        """
        return self._desk.brief(session)

    def submit(self, session: str, given: HandIn, *, agent: str) -> Brief:
        """Take what was handed in; with ``register_as`` write a confirmed prompt to MLflow.

        Raises:
            InvalidInputError: it is not what is waited for; nothing was written.
            ConflictError: it contradicts what was handed in, or nothing is confirmed to register.
            PermissionDeniedError: the alias is moved by people alone.
        """
        if given.register_as is not None:
            check_place(given.register_as, given.alias)
        elif given.alias is not None:
            raise InvalidInputError("An alias needs register_as, the name of the prompt in MLflow.")
        brief = self._desk.submit(
            session, answers=given.answers, proposals=given.candidates, finish=given.finish
        )
        if given.register_as is None:
            return brief
        return self._register(brief, given.register_as, given.alias, agent)

    def submit_by_endpoint(self, session: str) -> Brief:
        """Let the endpoint of the settings take one turn; return what is next.

        Raises:
            InvalidInputError: no endpoint is set, an example has no checks, or nothing is to do.
            UnavailableError: it does not answer; nothing was handed in.
        """
        where = self._settings
        endpoint = open_endpoint(where.prompt_endpoint, where.prompt_model, self._key)
        given = turn_by_endpoint(endpoint, self._desk.brief(session))
        return self._desk.submit(session, answers=given.answers, proposals=given.candidates)

    def _register(self, brief: Brief, name: str, alias: str | None, agent: str) -> Brief:
        report = brief.report
        if report is None or not report.is_confirmed:
            raise ConflictError(
                "What was handed in is written down, but nothing is registered: "
                + (report.summary if report else f"the session is at stage {brief.stage!r}.")
            )
        with self._versions() as prompts:
            found = prompts.put(
                name,
                report.text,
                key=brief.session,
                alias=alias,
                tags={
                    "ml_orchestrator.kind": "prompt",
                    "level": report.level,
                    "gain": f"{report.gain:.4f}",
                    "interval": f"{report.low:.4f} to {report.high:.4f}",
                    "n": str(report.n_test),
                    "actor": agent,
                },
                message=report.summary[:500],
            )
        return self._desk.note_registered(brief.session, found.uri)

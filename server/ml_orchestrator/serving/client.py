"""``ServingControl`` of a server in another process, over HTTP on this machine."""

import http.client
import json
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.records import Record
from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.admin import STATS, Expect, Load, SetTraffic
from ml_orchestrator.serving.control import LoadedSlot, ServingState, SlotStats, Traffic
from ml_orchestrator.serving.refusals import ERRORS

__all__ = ["HttpServingControl"]

TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 300.0
R = TypeVar("R", bound=Record)


class HttpServingControl:
    """Speaks to the operator's endpoints of one server. Thread-safe.

    Each call is a connection of its own: calls are rare, and none can find its connection
    closed by the other side in the meantime.
    """

    def __init__(self, address: Address, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = address.url
        self._token = address.token
        self._timeout_s = timeout_s

    def state(self) -> ServingState:
        """Return what is loaded and who answers."""
        return _parsed(ServingState, self._call("GET", "state"))

    def load_green(self, version: int) -> LoadedSlot:
        """Load ``version`` beside the blue one; waits up to five minutes."""
        answer = self._call("POST", "load", Load(version=version), timeout_s=LOAD_TIMEOUT_S)
        return _parsed(LoadedSlot, answer)

    def set_traffic(self, traffic: Traffic, *, expected_generation: int) -> ServingState:
        """Change who answers, between two requests."""
        asked = SetTraffic(traffic=traffic, expected_generation=expected_generation)
        return _parsed(ServingState, self._call("POST", "traffic", asked))

    def swap(self, *, expected_generation: int) -> ServingState:
        """Make green blue and blue green, traffic single."""
        asked = Expect(expected_generation=expected_generation)
        return _parsed(ServingState, self._call("POST", "swap", asked))

    def unload_green(self, *, expected_generation: int) -> ServingState:
        """Let green go once its last request is answered."""
        asked = Expect(expected_generation=expected_generation)
        answer = self._call("POST", "unload", asked, timeout_s=LOAD_TIMEOUT_S)
        return _parsed(ServingState, answer)

    def retire(self, *, expected_generation: int) -> ServingState:
        """Let blue go once its last request is answered; nothing answers until a swap."""
        asked = Expect(expected_generation=expected_generation)
        answer = self._call("POST", "retire", asked, timeout_s=LOAD_TIMEOUT_S)
        return _parsed(ServingState, answer)

    def stats(self, *, window_s: float) -> tuple[SlotStats, ...]:
        """Return what each loaded version answered lately, blue first."""
        return STATS.validate_json(self._call("GET", f"stats?window_s={window_s!r}"))

    def follow(self, *, timeout_s: float = LOAD_TIMEOUT_S) -> ServingState:
        """Tell the server that its alias has moved."""
        answer = self._call("POST", "follow", timeout_s=timeout_s)
        return _parsed(ServingState, answer)

    def _call(
        self, method: str, path: str, asked: Record | None = None, *, timeout_s: float | None = None
    ) -> bytes:
        where = urlsplit(self._url)
        connection = http.client.HTTPConnection(
            where.hostname or "", where.port, timeout=timeout_s or self._timeout_s
        )
        try:
            connection.request(
                method,
                f"/admin/{path}",
                body=None if asked is None else asked.model_dump_json(),
                headers={"Authorization": f"Bearer {self._token}"},
            )
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(
                f"The model server at {self._url} did not answer ({type(error).__name__})."
            ) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ERRORS.get(answer.status, UnavailableError)(_message(body, answer.status))
        return body


def _parsed(kind: type[R], body: bytes) -> R:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise UnavailableError("The model server's answer is not of this release.") from error


def _message(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"The model server answered {status}."

"""A model behind an address that speaks OpenAI's chat protocol; asked only where one is set.

There is no second choice: an address that does not answer is an error. Redirects are not followed,
so the key goes to the host that was set and to no other.
"""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.optimization.reflective.deadline import Line

__all__ = ["Endpoint", "open_endpoint"]

MAX_ANSWER_BYTES = 1_000_000
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody to another address: the key is meant for this one."""

    def redirect_request(self, *_: object) -> None:
        """Return no request, so that the redirect itself is an error."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask which model; the key is not shown."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)

    def ask(self, system: str, user: str, *, timeout_s: float) -> str:
        """Return what the model answers within ``timeout_s`` seconds in all.

        Raises:
            UnavailableError: it cannot be reached, refuses, takes longer, or its answer cannot be
                read.
        """
        if timeout_s <= 0:
            raise UnavailableError(f"{self._named} had no time left. {_NEXT}")
        with Line(timeout_s) as line:
            try:
                return self._ask(system, user, line, timeout_s)
            except UnavailableError as error:
                if line.is_cut:
                    raise UnavailableError(
                        f"{self._named} gave no whole answer within {timeout_s:.0f} s. {_NEXT}"
                    ) from error
                raise

    def _ask(self, system: str, user: str, line: Line, timeout_s: float) -> str:
        request = urllib.request.Request(  # noqa: S310 ``open_endpoint`` lets http(s) through only
            f"{self.url.rstrip('/')}/chat/completions",
            data=json.dumps(_body(self.model, system, user)).encode(),
            headers={"Content-Type": "application/json"},
        )
        if self.key is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.key}")
        try:
            with line.opener(_Stay).open(request, timeout=timeout_s) as answer:
                return _text(answer.read(MAX_ANSWER_BYTES + 1))
        except urllib.error.HTTPError as error:
            error.close()
            raise UnavailableError(f"{self._named} refused: HTTP {error.code}. {_NEXT}") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise UnavailableError(f"{self._named} cannot be reached: {reason}. {_NEXT}") from error
        except (ValueError, LookupError, TypeError, http.client.HTTPException) as error:
            # The error's text may quote a header, and so the key.
            raise UnavailableError(
                f"{self._named} gave an answer that cannot be read "
                f"({type(error).__name__}). {_NEXT}"
            ) from None

    @property
    def _named(self) -> str:
        return f"The endpoint {urlsplit(self.url).netloc}"


_NEXT = (
    "Nothing was handed in. Run the prompts yourself, or see to ML_ORCHESTRATOR_PROMPT_ENDPOINT."
)


def open_endpoint(url: str | None, model: str | None, key: str | None) -> Endpoint:
    """Return the endpoint that the settings name.

    Raises:
        InvalidInputError: none is set, it names no model, or it is neither https nor on this host.
    """
    if url is None or model is None:
        raise InvalidInputError(
            "No endpoint is set, so nothing is asked: a person sets "
            "ML_ORCHESTRATOR_PROMPT_ENDPOINT and ML_ORCHESTRATOR_PROMPT_MODEL. "
            "Or run the prompts yourself."
        )
    where = urlsplit(url)
    is_here = where.hostname in LOOPBACK
    if where.scheme not in ({"http", "https"} if is_here else {"https"}) or "@" in url:
        raise InvalidInputError(
            "ML_ORCHESTRATOR_PROMPT_ENDPOINT must begin with https:// (http:// on this host only) "
            "and hold no login; the key is ML_ORCHESTRATOR_PROMPT_KEY."
        )
    return Endpoint(url, model, key or None)


def _body(model: str, system: str, user: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": model, "messages": messages, "temperature": 0}


def _text(content: bytes) -> str:
    if len(content) > MAX_ANSWER_BYTES:
        raise ValueError("too long")
    text = json.loads(content)["choices"][0]["message"]["content"]
    if not isinstance(text, str):
        raise TypeError("no text")
    return text

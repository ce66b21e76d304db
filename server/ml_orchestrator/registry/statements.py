"""What is signed: that one manifest belongs to one version of one model, registered once.

A statement holds for one name, one number, one run and one moment of registration. So the files
and the signature of an older version mean nothing under a newer number or another name, nor
after the model was deleted and its numbers began anew.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.models import ModelVersion

__all__ = ["SignedStatement", "Statement", "read_signed", "state"]

MAX_SIGNED_CHARACTERS = 4_000
_PURPOSE = b"ml-orchestrator model statement 1\n"


class Statement(BaseModel):
    """What a signature says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    model: str
    version: int
    run_id: str | None
    registered_at: Annotated[str, Field(description="When MLflow made the version, UTC.")]
    manifest_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def content(self) -> bytes:
        """The bytes that are signed: the purpose, then the same text everywhere."""
        text = json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True
        )
        return _PURPOSE + text.encode()


class SignedStatement(BaseModel):
    """A statement, who signed it, and the signature; it travels as a tag of its version."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    statement: Statement
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Fingerprint of the key.")]
    signature: Annotated[str, Field(max_length=200, description="ECDSA P-256, base64.")]


def state(target: ModelVersion, manifest_sha256: str) -> Statement:
    """Return what is to be signed about ``target``."""
    return Statement(
        model=target.model,
        version=target.version,
        run_id=target.run_id,
        registered_at=_moment(target.created_at),
        manifest_sha256=manifest_sha256,
    )


def read_signed(source: str | Path | None) -> SignedStatement | None:
    """Read a signed statement from a tag or a file; None if there is none.

    Raises:
        IntegrityViolationError: it is something else.
    """
    text = source
    if isinstance(source, Path):
        if not source.exists():
            return None
        text = source.read_text(encoding="utf-8")[: MAX_SIGNED_CHARACTERS + 1]
    if text is None:
        return None
    try:
        if len(str(text)) > MAX_SIGNED_CHARACTERS:
            raise ValueError
        return SignedStatement.model_validate_json(str(text))
    except (ValidationError, ValueError) as error:
        raise IntegrityViolationError("The signature is not in our form.") from error


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")

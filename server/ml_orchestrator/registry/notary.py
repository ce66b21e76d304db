"""Signatures of versions: made, read, and compared with what this home has seen before."""

from pathlib import Path

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.program import program
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.registry.models import Check, ModelVersion
from ml_orchestrator.registry.statements import SignedStatement, Statement, read_signed, state
from ml_orchestrator.registry.store import SIGNATURE_TAG
from ml_orchestrator.storage.whole_files import write_lasting

__all__ = ["Notary"]


class Notary:
    """Signs statements about versions and judges those that come with them.

    What this home signed or accepted is kept in ``home``/manifests, so that a statement that
    is older than one seen before, or says something else about the same version, is refused.
    """

    def __init__(self, keyring: Keyring, home: Path) -> None:
        self._keyring = keyring
        self._home = home

    def sign(self, target: ModelVersion, manifest_sha256: str) -> SignedStatement:
        """Return a signed statement that ``target`` consists of what the manifest lists."""
        statement = state(target, manifest_sha256)
        key, signature = self._keyring.sign(statement.content)
        return SignedStatement(statement=statement, key=key, signature=signature)

    def seen(self, target: ModelVersion) -> SignedStatement | None:
        """Return the statement about this name and number that was last accepted here.

        Raises:
            IntegrityViolationError: its file is damaged.
        """
        return read_signed(self._path(target))

    def remember(self, target: ModelVersion, signed: SignedStatement) -> None:
        """Keep an accepted statement; older ones are refused from now on."""
        if self.seen(target) != signed:
            path = self._path(target)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_lasting(path, signed.model_dump_json())

    def judge(self, target: ModelVersion, checks: list[Check]) -> SignedStatement | None:
        """Add the checks of a version's signature; return it if all of them hold."""
        signed = self._read(target, checks)
        if signed is None:
            return None
        before = len(checks)
        checks.append(self._check_trust(signed))
        checks.append(_check_binding(signed.statement, target))
        checks.append(self._check_replay(signed.statement, target))
        return signed if all(check.ok for check in checks[before:]) else None

    def _read(self, target: ModelVersion, checks: list[Check]) -> SignedStatement | None:
        try:
            signed = read_signed(target.tags.get(SIGNATURE_TAG))
        except IntegrityViolationError as error:
            checks.append(Check(name="is_signed", ok=False, detail=str(error)))
            return None
        if signed is None:
            checks.append(Check(name="is_signed", ok=False, detail=self._why_unsigned(target)))
            return None
        checks.append(Check(name="is_signed", ok=True, detail=f"by key {signed.key[:16]}"))
        return signed

    def _why_unsigned(self, target: ModelVersion) -> str:
        if self._path(target).exists():
            return "it was signed, and somebody removed the signature from MLflow"
        return (
            "it was registered before signatures, or by another client. If you know that it is "
            f"what it should be: {program()} keys sign {target.model} {target.version}"
        )

    def _check_trust(self, signed: SignedStatement) -> Check:
        why = self._keyring.refusal(
            signed.statement.content, fingerprint=signed.key, signature=signed.signature
        )
        detail = why or f"key {signed.key[:16]} is trusted here, and signed exactly this"
        return Check(name="signature_is_trusted", ok=why is None, detail=detail)

    def _check_replay(self, statement: Statement, target: ModelVersion) -> Check:
        try:
            seen = self.seen(target)
        except IntegrityViolationError as error:
            return Check(name="is_no_replay", ok=False, detail=str(error))
        if seen is None:
            return Check(name="is_no_replay", ok=True, detail="the first statement seen here")
        last = seen.statement
        is_older = statement.registered_at < last.registered_at
        differs = statement.registered_at == last.registered_at and statement != last
        detail = f"of {statement.registered_at}; last seen here: {last.registered_at}"
        return Check(
            name="is_no_replay",
            ok=not is_older and not differs,
            detail=f"{detail}, for other files" if differs else detail,
        )

    def _path(self, target: ModelVersion) -> Path:
        return self._home / "manifests" / target.model / f"{target.version}.signed.json"


def _check_binding(statement: Statement, target: ModelVersion) -> Check:
    return Check(
        name="signature_is_of_this_version",
        ok=statement == state(target, statement.manifest_sha256),
        detail=(
            f"made for {statement.model[:130]!r} version {statement.version}, "
            f"run {str(statement.run_id)[:70]}, registered {statement.registered_at[:40]}"
        ),
    )

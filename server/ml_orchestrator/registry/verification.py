"""Registering with a manifest, and checking a version against it on a private copy."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.inspection import (
    ModelPolicy,
    attempt,
    describe_copy,
    inspect_copy,
)
from ml_orchestrator.registry.integrity import (
    Manifest,
    build_manifest,
    list_files,
    read_manifest,
    verify_manifest,
    write_manifest,
)
from ml_orchestrator.registry.keys import Keyring
from ml_orchestrator.registry.mlmodel import ModelDescription
from ml_orchestrator.registry.models import Check, ModelVersion, VerifyReport
from ml_orchestrator.registry.names import check_model, check_run_id
from ml_orchestrator.registry.notary import Notary
from ml_orchestrator.registry.statements import SignedStatement, state
from ml_orchestrator.registry.store import DIGEST_TAG, SIGNATURE_TAG, RegistryStore
from ml_orchestrator.storage.locks import exclusive

__all__ = ["ModelVault", "VerifiedCopy"]

Looked = tuple[list[Check], ModelDescription | None]

# What a version lacks that was registered before signatures or by another client, or whose key
# was revoked since.
_CURED_BY_SIGNING = frozenset({"has_manifest", "is_signed", "signature_is_trusted"})


@dataclass(frozen=True, slots=True)
class VerifiedCopy:
    """A private copy of a version whose every check held."""

    directory: Path
    description: ModelDescription
    manifest_digest: str


class ModelVault:
    """Manifests and signatures of registered versions, and checks against them.

    Manifests are kept in ``home``/manifests, signatures as tags of their versions, so that a
    colleague who trusts the key can check a version without having registered it.
    """

    def __init__(
        self,
        registry: RegistryStore,
        home: Path,
        *,
        keyring: Keyring,
        policy: ModelPolicy,
        check_environment: Callable[[Path], Check],
    ) -> None:
        self._registry = registry
        self._home = home
        self._notary = Notary(keyring, home)
        self._policy = policy
        self._check_environment = check_environment

    def register(
        self, model: str, *, source_uri: str, run_id: str, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Register the model of a run, manifest signed; done twice, it changes nothing.

        Raises:
            IntegrityViolationError: the files cannot be loaded safely, or belong to another run;
                no version is made for an unsafe source outside the artifact root, and no
                manifest for unsafe files.
            InvalidInputError: the signing key cannot be used.
        """
        check_model(model)
        check_run_id(run_id)
        with self._alone(model):
            version = self._registry.register(
                model, source_uri=source_uri, run_id=run_id, tags=tags
            )
            target = self._registry.version(model, version)
            if not self._is_recorded(target):
                self._record(target)
        return self._registry.version(model, version)

    def sign(self, model: str, version: int) -> VerifyReport:
        """Sign a version that was registered without, as it is now; a person vouches for it.

        Raises:
            IntegrityViolationError: something else than the missing signature is wrong with it.
            ConflictError: another process is registering.
        """
        with self._alone(model):
            target = self._registry.version(model, version)
            with self._private_directory() as directory:
                report = self._report(target, directory, inspect_copy)[0]
                wrong = [c for c in report.checks if not c.ok and c.name not in _CURED_BY_SIGNING]
                if wrong:
                    raise IntegrityViolationError(_refusal(report, wrong, done="signed"))
                if not report.ok:
                    self._record(target)
        return self.verify(model, version)

    def verify(self, model: str, version: int) -> VerifyReport:
        """Check a version on a private copy of its files; findings are checks, not errors.

        Raises:
            NotFoundError: there is no such model or version.
        """
        target = self._registry.version(model, version)
        with self._private_directory() as directory:
            return self._report(target, directory, inspect_copy)[0]

    @contextmanager
    def checkout(self, model: str, version: int) -> Iterator[VerifiedCopy]:
        """Give a verified private copy, removed again at the end.

        Nobody has looked into its model file yet: whoever loads it does, with
        ``serving.loader``.

        Raises:
            IntegrityViolationError: a check failed; the message names every one that did.
        """
        target = self._registry.version(model, version)
        with self._private_directory() as directory:
            report, description = self._report(target, directory, describe_copy)
            if not report.ok or description is None or report.manifest_digest is None:
                wrong = [check for check in report.checks if not check.ok]
                raise IntegrityViolationError(_refusal(report, wrong, done="loaded"))
            yield VerifiedCopy(
                directory=directory / "model",
                description=description,
                manifest_digest=report.manifest_digest,
            )

    def _is_recorded(self, target: ModelVersion) -> bool:
        """Return whether this home has a manifest of this very version, signed or not."""
        if read_manifest(self._manifest_path(target)) is None:
            return False
        seen = self._notary.seen(target)
        return seen is None or seen.statement.registered_at == _registered_at(target)

    def _record(self, target: ModelVersion) -> None:
        """Check, hash and sign what was registered; the manifest is written last."""
        with self._private_directory() as directory:
            copy = self._registry.download(target.model, target.version, directory / "model")
            checks, _ = inspect_copy(copy, run_id=target.run_id, policy=self._policy)
            if wrong := [check for check in checks if not check.ok]:
                raise IntegrityViolationError(
                    f"Version {target.version} of {target.model!r} was not signed and cannot be "
                    f"used ({_named(wrong)})."
                )
            manifest = _manifest_of(copy, target)
        if target.manifest_digest not in {None, manifest.digest}:
            raise IntegrityViolationError(
                f"Version {target.version} of {target.model!r} was registered elsewhere with "
                "other files than it has now; it was not signed."
            )
        signed = self._notary.sign(target, manifest.digest)
        self._registry.set_version_tag(target.model, target.version, DIGEST_TAG, manifest.digest)
        self._registry.set_version_tag(
            target.model, target.version, SIGNATURE_TAG, signed.model_dump_json()
        )
        self._keep(target, manifest, signed)

    def _report(
        self, target: ModelVersion, directory: Path, look: Callable[..., Looked]
    ) -> tuple[VerifyReport, ModelDescription | None]:
        checks: list[Check] = []
        signed = self._notary.judge(target, checks)
        manifest = self._check_manifest(target, signed, checks)
        copy = self._check_copy(target, directory / "model", checks)
        description = None
        n_files = size_bytes = 0
        if copy is not None:
            files = list_files(copy)
            n_files, size_bytes = len(files), sum(path.stat().st_size for path in files)
            manifest = _check_files(copy, target, manifest, signed, checks)
            found, description = look(copy, run_id=target.run_id, policy=self._policy)
            checks += found
            checks.append(self._check_environment(copy))
        report = VerifyReport(
            model=target.model,
            version=target.version,
            ok=all(check.ok for check in checks),
            checks=tuple(checks),
            manifest_digest=manifest and manifest.digest,
            n_files=n_files,
            size_bytes=size_bytes,
        )
        if report.ok and manifest is not None and signed is not None:
            self._keep(target, manifest, signed)
        return report, description

    def _check_manifest(
        self, target: ModelVersion, signed: SignedStatement | None, checks: list[Check]
    ) -> Manifest | None:
        try:
            manifest = read_manifest(self._manifest_path(target))
        except IntegrityViolationError as error:
            checks.append(Check(name="has_manifest", ok=False, detail=str(error)))
            return None
        if signed is not None and (manifest is None or self._is_outdated(target, signed)):
            detail = "none is kept here; the signed one is made anew from the files"
            checks.append(Check(name="has_manifest", ok=True, detail=detail))
            return None
        if manifest is None:
            detail = "no manifest is recorded here; the version was registered by another client"
            checks.append(Check(name="has_manifest", ok=False, detail=detail))
            return None
        checks.append(Check(name="has_manifest", ok=True, detail=f"{len(manifest.files)} files"))
        checks.append(_check_binding(manifest, target))
        checks.append(_check_tag(manifest, target))
        return manifest

    def _is_outdated(self, target: ModelVersion, signed: SignedStatement) -> bool:
        """Return whether the manifest here is of an earlier life of the same name and number."""
        seen = self._notary.seen(target)
        return seen is not None and seen.statement.registered_at < signed.statement.registered_at

    def _check_copy(
        self, target: ModelVersion, destination: Path, checks: list[Check]
    ) -> Path | None:
        def copy() -> str:
            self._registry.download(target.model, target.version, destination)
            return "regular files only"

        return destination if attempt(checks, "has_safe_files", copy) else None

    def _keep(self, target: ModelVersion, manifest: Manifest, signed: SignedStatement) -> None:
        self._notary.remember(target, signed)
        path = self._manifest_path(target)
        if read_manifest(path) != manifest:
            write_manifest(path, manifest)

    def _manifest_path(self, target: ModelVersion) -> Path:
        return self._home / "manifests" / target.model / f"{target.version}.json"

    def _alone(self, model: str) -> AbstractContextManager[None]:
        check_model(model)
        return exclusive(self._home / "locks" / f"{model}.register", doing=f"registering {model}")

    @contextmanager
    def _private_directory(self) -> Iterator[Path]:
        parent = self._home / "loading"
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        parent.chmod(0o700)  # whoever made it before us
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as name:
            yield Path(name)


def _manifest_of(copy: Path, target: ModelVersion) -> Manifest:
    return build_manifest(copy, model=target.model, version=target.version, run_id=target.run_id)


def _check_files(
    copy: Path,
    target: ModelVersion,
    manifest: Manifest | None,
    signed: SignedStatement | None,
    checks: list[Check],
) -> Manifest | None:
    """Compare the files with the manifest, and the manifest with the signature."""
    if manifest is not None:
        checks += verify_manifest(copy, manifest)
    elif signed is not None:
        manifest = _manifest_of(copy, target)
        checks.append(_check_tag(manifest, target))
    if signed is not None and manifest is not None:
        is_covered = manifest.digest == signed.statement.manifest_sha256
        detail = f"manifest {manifest.digest[:12]}, signed {signed.statement.manifest_sha256[:12]}"
        checks.append(Check(name="signature_covers_manifest", ok=is_covered, detail=detail))
    return manifest


def _check_binding(manifest: Manifest, target: ModelVersion) -> Check:
    bound = (manifest.model, manifest.version, manifest.run_id)
    asked = (target.model, target.version, target.run_id)
    detail = f"made for {bound[0]!r} version {bound[1]}, run {bound[2]}"
    return Check(name="manifest_is_of_this_version", ok=bound == asked, detail=detail)


def _check_tag(manifest: Manifest, target: ModelVersion) -> Check:
    tag = target.manifest_digest
    detail = f"manifest {manifest.digest[:12]}, tag {tag[:12] if tag else 'absent'}"
    return Check(name="manifest_matches_tag", ok=tag == manifest.digest, detail=detail)


def _registered_at(target: ModelVersion) -> str:
    return state(target, "0" * 64).registered_at


def _named(checks: list[Check]) -> str:
    return "; ".join(f"{check.name}: {check.detail}" for check in checks)


def _refusal(report: VerifyReport, wrong: list[Check], *, done: str) -> str:
    return (
        f"Version {report.version} of {report.model!r} was not {done} ({_named(wrong)}). "
        "Restore its files or register it again from a trusted run."
    )

"""Registering with a manifest, and checking a version against it on a private copy."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.integrity import (
    Manifest,
    build_manifest,
    list_files,
    read_manifest,
    verify_manifest,
    write_manifest,
)
from ml_orchestrator.registry.mlmodel import ModelDescription, validate_mlmodel
from ml_orchestrator.registry.models import Check, ModelVersion, VerifyReport
from ml_orchestrator.registry.names import check_model, check_run_id
from ml_orchestrator.registry.store import DIGEST_TAG, RegistryStore
from ml_orchestrator.storage.locks import exclusive

__all__ = ["ModelVault", "VerifiedCopy"]


@dataclass(frozen=True, slots=True)
class VerifiedCopy:
    """A private copy of a version whose every check held."""

    directory: Path
    description: ModelDescription
    manifest_digest: str


class ModelVault:
    """Manifests of registered versions, in ``home``/manifests, and checks against them."""

    def __init__(
        self,
        registry: RegistryStore,
        home: Path,
        *,
        check_environment: Callable[[Path], Check],
    ) -> None:
        self._registry = registry
        self._home = home
        self._check_environment = check_environment

    def register(
        self, model: str, *, source_uri: str, run_id: str, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Register the model of a run with its manifest; done twice, it changes nothing.

        Raises:
            IntegrityViolationError: the files cannot be loaded safely; no version is made for
                an unsafe source outside the artifact root, and no manifest for unsafe files.
        """
        check_model(model)
        check_run_id(run_id)
        with exclusive(self._home / "locks" / f"{model}.register", doing=f"registering {model}"):
            version = self._registry.register(
                model, source_uri=source_uri, run_id=run_id, tags=tags
            )
            if read_manifest(self._manifest_path(model, version)) is None:
                self._record_manifest(model, version, run_id)
        return self._registry.version(model, version)

    def verify(self, model: str, version: int) -> VerifyReport:
        """Check a version on a private copy of its files; findings are checks, not errors.

        Raises:
            NotFoundError: there is no such model or version.
        """
        target = self._registry.version(model, version)
        with self._private_directory() as directory:
            return self._report(target, directory)[0]

    @contextmanager
    def checkout(self, model: str, version: int) -> Iterator[VerifiedCopy]:
        """Give a verified private copy, removed again at the end.

        Raises:
            IntegrityViolationError: a check failed; the message names every one that did.
        """
        target = self._registry.version(model, version)
        with self._private_directory() as directory:
            report, description = self._report(target, directory)
            if not report.ok or description is None or report.manifest_digest is None:
                raise IntegrityViolationError(_refusal(report))
            yield VerifiedCopy(
                directory=directory / "model",
                description=description,
                manifest_digest=report.manifest_digest,
            )

    def _record_manifest(self, model: str, version: int, run_id: str) -> None:
        with self._private_directory() as directory:
            copy = self._registry.download(model, version, directory / "model")
            validate_mlmodel(copy)
            manifest = build_manifest(copy, model=model, version=version, run_id=run_id)
        self._registry.set_version_tag(model, version, DIGEST_TAG, manifest.digest)
        write_manifest(self._manifest_path(model, version), manifest)

    def _report(
        self, target: ModelVersion, directory: Path
    ) -> tuple[VerifyReport, ModelDescription | None]:
        checks: list[Check] = []
        manifest = self._check_manifest(target, checks)
        copy = self._check_copy(target, directory / "model", checks)
        description = None
        n_files = size_bytes = 0
        if copy is not None:
            files = list_files(copy)
            n_files, size_bytes = len(files), sum(path.stat().st_size for path in files)
            if manifest is not None:
                checks += verify_manifest(copy, manifest)
            description = _check_mlmodel(copy, checks)
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
        return report, description

    def _check_manifest(self, target: ModelVersion, checks: list[Check]) -> Manifest | None:
        try:
            manifest = read_manifest(self._manifest_path(target.model, target.version))
        except IntegrityViolationError as error:
            checks.append(Check(name="has_manifest", ok=False, detail=str(error)))
            return None
        if manifest is None:
            detail = "no manifest is recorded here; the version was registered by another client"
            checks.append(Check(name="has_manifest", ok=False, detail=detail))
            return None
        checks.append(Check(name="has_manifest", ok=True, detail=f"{len(manifest.files)} files"))
        checks.append(_check_binding(manifest, target))
        checks.append(_check_tag(manifest, target))
        return manifest

    def _check_copy(
        self, target: ModelVersion, destination: Path, checks: list[Check]
    ) -> Path | None:
        try:
            copy = self._registry.download(target.model, target.version, destination)
        except IntegrityViolationError as error:
            checks.append(Check(name="has_safe_files", ok=False, detail=str(error)))
            return None
        checks.append(Check(name="has_safe_files", ok=True, detail="regular files only"))
        return copy

    def _manifest_path(self, model: str, version: int) -> Path:
        return self._home / "manifests" / model / f"{version}.json"

    @contextmanager
    def _private_directory(self) -> Iterator[Path]:
        parent = self._home / "loading"
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as name:
            yield Path(name)


def _check_binding(manifest: Manifest, target: ModelVersion) -> Check:
    bound = (manifest.model, manifest.version, manifest.run_id)
    asked = (target.model, target.version, target.run_id)
    detail = f"made for {bound[0]!r} version {bound[1]}, run {bound[2]}"
    return Check(name="manifest_is_of_this_version", ok=bound == asked, detail=detail)


def _check_tag(manifest: Manifest, target: ModelVersion) -> Check:
    tag = target.manifest_digest
    detail = f"manifest {manifest.digest[:12]}, tag {tag[:12] if tag else 'absent'}"
    return Check(name="manifest_matches_tag", ok=tag == manifest.digest, detail=detail)


def _check_mlmodel(copy: Path, checks: list[Check]) -> ModelDescription | None:
    try:
        description = validate_mlmodel(copy)
    except IntegrityViolationError as error:
        checks.append(Check(name="mlmodel_is_safe", ok=False, detail=str(error)))
        return None
    detail = f"scikit-learn {description.sklearn_version} in skops format"
    checks.append(Check(name="mlmodel_is_safe", ok=True, detail=detail))
    return description


def _refusal(report: VerifyReport) -> str:
    failed = "; ".join(f"{check.name}: {check.detail}" for check in report.checks if not check.ok)
    return (
        f"Version {report.version} of {report.model!r} was not loaded ({failed}). "
        "Restore its files or register it again from a trusted run."
    )

"""Keys that sign what was registered: made on first use, rotated, trusted and revoked."""

import base64
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ml_orchestrator.errors import ConflictError, NotFoundError, UnavailableError
from ml_orchestrator.program import program
from ml_orchestrator.registry.pem import (
    fingerprint_of,
    private_pem,
    public_pem,
    read_private,
    read_public,
)
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.whole_files import create_lasting, write_lasting

__all__ = ["Keyring", "TrustedKey"]

_SIGNATURE = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key by its fingerprint, and what it is to us."""

    fingerprint: str
    signs: bool
    is_revoked: bool


class Keyring:
    """One signing key, P-256, and the public keys whose signatures count. Thread-safe.

    ``home``/keys holds ``signing.pem`` (mode 0600), ``trusted/`` and ``revoked/``. A key that
    was replaced stays trusted until it is revoked; a revoked one counts no more, wherever else
    it lies.

    Args of the constructor:
        home: Data directory.
        signing_key: A private key kept elsewhere, used instead of ``signing.pem``.
    """

    def __init__(self, home: Path, *, signing_key: Path | None = None) -> None:
        self._directory = home / "keys"
        self._external = signing_key

    def sign(self, content: bytes) -> tuple[str, str]:
        """Return the fingerprint of the signing key and its signature, base64.

        Raises:
            InvalidInputError: the key cannot be used; the message says why.
        """
        private = self._private()
        signature = private.sign(content, _SIGNATURE)
        return fingerprint_of(private.public_key()), base64.b64encode(signature).decode()

    def refusal(self, content: bytes, *, fingerprint: str, signature: str) -> str | None:
        """Return why a signature does not count; None if it does."""
        key = self._trusted().get(fingerprint)
        if key is None:
            return self._why_not(fingerprint)
        try:
            key.verify(base64.b64decode(signature, validate=True), content, _SIGNATURE)
        except (InvalidSignature, ValueError):
            return f"the signature is not one of key {fingerprint[:16]} over this content"
        return None

    def known(self) -> tuple[TrustedKey, ...]:
        """Return every key known here, the signing one first."""
        signing = self._signing_fingerprint()
        revoked = self._revoked()
        names = {*self._trusted(), *revoked}
        return tuple(
            TrustedKey(name, signs=name == signing, is_revoked=name in revoked)
            for name in sorted(names, key=lambda name: (name != signing, name))
        )

    def rotate(self) -> str:
        """Make a new signing key and return its fingerprint; the old one stays trusted.

        Raises:
            ConflictError: the signing key is kept elsewhere and must be replaced there.
        """
        if self._external is not None:
            raise ConflictError(
                f"The signing key is {self._external}, set by ML_ORCHESTRATOR_SIGNING_KEY. "
                "Point that at a new key; the old one stays trusted here."
            )
        with self._alone():
            self._remember(self._private().public_key())
            private = ec.generate_private_key(ec.SECP256R1())
            self._remember(private.public_key())
            write_lasting(self._own_path, private_pem(private))
        return fingerprint_of(private.public_key())

    def trust(self, path: Path) -> str:
        """Trust the public key in ``path`` and return its fingerprint.

        Raises:
            InvalidInputError: not a P-256 public key.
            ConflictError: it was revoked here.
        """
        public = read_public(path)
        name = fingerprint_of(public)
        with self._alone():
            if name in self._revoked():
                raise ConflictError(
                    f"Key {name[:16]} was revoked here. To trust it again, remove "
                    f"{self._directory / 'revoked' / name}.pem by hand."
                )
            self._remember(public)
        return name

    def revoke(self, fingerprint: str) -> str:
        """Let the signatures of one key count no more, and return its whole fingerprint.

        Args:
            fingerprint: At least its first eight characters.

        Raises:
            NotFoundError: no key, or more than one, begins like that.
            ConflictError: it is the signing key.
        """
        with self._alone():
            name = self._find(fingerprint)
            if name == self._signing_fingerprint():
                raise ConflictError(f"Key {name[:16]} signs now; rotate first, then revoke it.")
            public = self._trusted()[name]
            self._publish(self._directory / "revoked" / f"{name}.pem", public)
        return name

    def public_pem(self) -> str:
        """Return the public part of the signing key, for colleagues to trust."""
        return public_pem(self._private().public_key()).decode()

    def describe(self) -> str:
        """Sign something and check it; return the fingerprint, its mode and what is trusted.

        Raises:
            InvalidInputError: the key cannot be used, or others can read it.
            UnavailableError: its own signature does not count here.
        """
        path = self._external or self._own_path
        if self._directory.exists() and self._directory.stat().st_mode & stat.S_IWOTH:
            raise UnavailableError(f"Others can write to {self._directory}; run chmod 700 on it.")
        if self._external is None and not path.exists():
            return f"no key yet, made at the first registration; {self._n_trusted()} trusted"
        fingerprint, signature = self.sign(b"health")
        why = self.refusal(b"health", fingerprint=fingerprint, signature=signature)
        if why:
            raise UnavailableError(f"Signing does not work: {why}. Rotate the key.")
        mode = stat.S_IMODE(path.stat().st_mode)
        where = "external key" if self._external else "key"
        return f"{where} {fingerprint[:16]}, mode {mode:04o}, signs; {self._n_trusted()} trusted"

    def _n_trusted(self) -> int:
        return sum(not key.is_revoked for key in self.known())

    @property
    def _own_path(self) -> Path:
        return self._directory / "signing.pem"

    def _private(self) -> ec.EllipticCurvePrivateKey:
        path = self._external or self._own_path
        if self._external is None and not path.exists():
            self._create()
        private = read_private(path)
        self._remember(private.public_key())
        return private

    def _create(self) -> None:
        """Make ``signing.pem`` unless another process does so at the same moment."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # theirs is as good
            create_lasting(self._own_path, private_pem(ec.generate_private_key(ec.SECP256R1())))

    def _remember(self, public: ec.EllipticCurvePublicKey) -> None:
        path = self._directory / "trusted" / f"{fingerprint_of(public)}.pem"
        if not path.exists() and path.stem not in self._revoked():
            self._publish(path, public)

    def _publish(self, path: Path, public: ec.EllipticCurvePublicKey) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_lasting(path, public_pem(public))

    def _trusted(self) -> dict[str, ec.EllipticCurvePublicKey]:
        revoked = self._revoked()
        found = {
            path.stem: read_public(path)
            for path in sorted((self._directory / "trusted").glob("*.pem"))
        }
        if self._external is not None:
            public = read_private(self._external).public_key()
            found[fingerprint_of(public)] = public
        return {
            name: key
            for name, key in found.items()
            if name == fingerprint_of(key) and name not in revoked
        }

    def _revoked(self) -> set[str]:
        return {path.stem for path in (self._directory / "revoked").glob("*.pem")}

    def _signing_fingerprint(self) -> str | None:
        if self._external is None and not self._own_path.exists():
            return None
        return fingerprint_of(read_private(self._external or self._own_path).public_key())

    def _find(self, fingerprint: str) -> str:
        names = sorted(self._trusted())
        found = [name for name in names if len(fingerprint) >= 8 and name.startswith(fingerprint)]
        if len(found) != 1:
            known = ", ".join(name[:16] for name in names) or "none"
            raise NotFoundError(
                f"No single trusted key begins with {fingerprint[:64]!r} (at least 8 characters); "
                f"known: {known}."
            )
        return found[0]

    def _why_not(self, fingerprint: str) -> str:
        if fingerprint in self._revoked():
            return (
                f"key {fingerprint[:16]} was revoked; if you know that the version is what it "
                f"should be, run {program()} keys sign MODEL VERSION"
            )
        known = ", ".join(name[:16] for name in sorted(self._trusted())) or "none"
        return (
            f"key {fingerprint[:16]} is not trusted here (trusted: {known}); if it is a "
            f"colleague's, run {program()} keys trust with their public key"
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(self._directory / "changing", doing="changing keys", wait_s=30):
            yield

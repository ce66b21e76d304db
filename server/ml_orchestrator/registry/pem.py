"""Keys as PEM files: EC on P-256, without a password, read by nobody else."""

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ml_orchestrator.errors import InvalidInputError

__all__ = ["fingerprint_of", "private_pem", "public_pem", "read_private", "read_public"]

MAX_KEY_BYTES = 10_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def fingerprint_of(public: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a key as SubjectPublicKeyInfo, hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def public_pem(public: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form)


def private_pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, without a password."""
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_private(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a private key that nobody else can read.

    Raises:
        InvalidInputError: no such key, or others can read it; the message says which.
    """
    content = _read(path, "signing key", must_be_private=True)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "signing key", "it is no PEM private key without a password") from (
            error
        )
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unusable(path, "signing key", "it is not an EC key on P-256")
    return key


def read_public(path: Path) -> ec.EllipticCurvePublicKey:
    """Read a public key.

    Raises:
        InvalidInputError: it is something else; the message says what.
    """
    content = _read(path, "public key", must_be_private=False)
    if b"PRIVATE" in content:
        raise _unusable(path, "public key", "it is a private key; ask for the public part")
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "public key", "it is no PEM public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unusable(path, "public key", "it is not an EC key on P-256")
    return key


def _read(path: Path, what: str, *, must_be_private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_KEY_BYTES + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise _unusable(path, what, f"{error.strerror}") from error
    if must_be_private and mode & _OTHERS:
        raise _unusable(
            path, what, f"others can read it (mode {stat.S_IMODE(mode):04o}); run chmod 600 on it"
        )
    if not 0 < len(content) <= MAX_KEY_BYTES:
        raise _unusable(path, what, "it is not a file with a key")
    return content


def _unusable(path: Path, what: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"The {what} {path} cannot be used: {why}.")

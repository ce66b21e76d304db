import itertools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ml_orchestrator.cli import main
from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from ml_orchestrator.registry.keys import Keyring

CONTENT = b"what is signed"


def refusal(keyring: Keyring, signed: tuple[str, str], content: bytes = CONTENT) -> str | None:
    fingerprint, signature = signed
    return keyring.refusal(content, fingerprint=fingerprint, signature=signature)


def write_key(path: Path, key: object = None, *, mode: int = 0o600, password: str = "") -> Path:
    private = key or ec.generate_private_key(ec.SECP256R1())
    locked = serialization.BestAvailableEncryption(password.encode()) if password else None
    path.write_bytes(
        private.private_bytes(  # type: ignore[attr-defined]
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            locked or serialization.NoEncryption(),
        )
    )
    path.chmod(mode)
    return path


def sign_first(home: Path) -> tuple[str, str]:
    return Keyring(home).sign(CONTENT)


def test_the_first_signature_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    assert keyring.known() == ()
    signed = keyring.sign(CONTENT)

    assert refusal(keyring, signed) is None
    assert refusal(Keyring(tmp_path), signed) is None
    files = [path for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert [(key.signs, key.is_revoked) for key in keyring.known()] == [(True, False)]


def test_processes_that_make_the_first_key_at_once_agree_on_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        signed = list(pool.map(sign_first, itertools.repeat(tmp_path, 16)))

    assert len({fingerprint for fingerprint, _ in signed}) == 1
    assert {refusal(Keyring(tmp_path), each) for each in signed} == {None}
    assert [path.name for path in (tmp_path / "keys").glob(".new-*")] == []


def test_another_content_and_another_signature_do_not_count(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    fingerprint, signature = keyring.sign(CONTENT)
    other = keyring.sign(b"something else")[1]

    for content, text in ((b"?", signature), (CONTENT, other), (CONTENT, "%"), (CONTENT, "")):
        why = keyring.refusal(content, fingerprint=fingerprint, signature=text)
        assert why == f"the signature is not one of key {fingerprint[:16]} over this content"


def test_a_rotated_key_counts_until_it_is_revoked(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    old = keyring.sign(CONTENT)
    assert keyring.rotate() == keyring.sign(CONTENT)[0] != old[0]
    assert refusal(keyring, old) is None
    with pytest.raises(ConflictError, match="rotate first"):
        keyring.revoke(keyring.sign(CONTENT)[0])

    keyring.revoke(old[0][:8])
    why = refusal(keyring, old)
    assert why is not None
    assert "was revoked" in why
    assert refusal(keyring, keyring.sign(CONTENT)) is None


def test_a_colleagues_key_counts_once_it_is_trusted_and_never_again_once_revoked(
    tmp_path: Path,
) -> None:
    mine, theirs = Keyring(tmp_path / "mine"), Keyring(tmp_path / "theirs")
    signed = theirs.sign(CONTENT)
    mine.sign(CONTENT)
    why = refusal(mine, signed)
    assert why is not None
    assert "keys trust" in why

    public = tmp_path / "colleague.pem"
    public.write_text(theirs.public_pem())
    assert mine.trust(public) == signed[0]
    assert refusal(mine, signed) is None

    mine.revoke(signed[0])
    with pytest.raises(ConflictError, match="was revoked here"):
        mine.trust(public)
    assert [(key.signs, key.is_revoked) for key in mine.known()] == [(True, False), (False, True)]
    with pytest.raises(NotFoundError, match="No single trusted key begins with ''"):
        mine.revoke("")


def test_a_public_key_under_another_fingerprint_is_not_believed(tmp_path: Path) -> None:
    mine, theirs = Keyring(tmp_path / "mine"), Keyring(tmp_path / "theirs")
    fingerprint, _ = mine.sign(CONTENT)
    _, forged = theirs.sign(CONTENT)
    trusted = tmp_path / "mine" / "keys" / "trusted" / f"{fingerprint}.pem"
    trusted.write_text(theirs.public_pem())
    assert mine.refusal(CONTENT, fingerprint=fingerprint, signature=forged) is not None


def test_a_key_kept_elsewhere_signs_and_is_replaced_there(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "home", signing_key=write_key(tmp_path / "team.pem"))
    assert refusal(keyring, keyring.sign(CONTENT)) is None
    assert not (tmp_path / "home" / "keys" / "signing.pem").exists()
    assert keyring.describe().startswith("external key")
    with pytest.raises(ConflictError, match="ML_ORCHESTRATOR_SIGNING_KEY"):
        keyring.rotate()


def _private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


BAD_KEYS: dict[str, Callable[[Path], object]] = {
    "others can read it \\(mode 0644\\); run chmod 600": lambda path: write_key(path, mode=0o644),
    "others can read it \\(mode 0640\\)": lambda path: write_key(path, mode=0o640),
    "without a password": lambda path: write_key(path, password="secret"),
    "not an EC key on P-256": lambda path: write_key(path, ec.generate_private_key(ec.SECP384R1())),
    "an EC key on P-256": lambda path: write_key(path, ed25519.Ed25519PrivateKey.generate()),
    "no PEM private key": lambda path: _private(path, "hello"),
    "not a file with a key": lambda path: _private(path, ""),
    "No such file": lambda path: path,
    "Is a directory": lambda path: path.mkdir(mode=0o700),
}


@pytest.mark.parametrize("why", BAD_KEYS)
def test_a_key_that_cannot_be_used_says_why(tmp_path: Path, why: str) -> None:
    path = tmp_path / "key.pem"
    BAD_KEYS[why](path)
    with pytest.raises(InvalidInputError, match=f"signing key .*key.pem cannot be used: .*{why}"):
        Keyring(tmp_path / "home", signing_key=path).sign(CONTENT)


def test_only_public_keys_of_our_kind_can_be_trusted(tmp_path: Path) -> None:
    private = write_key(tmp_path / "private.pem")
    (tmp_path / "text.pem").write_text("hello")
    for name, why in (("private", "private key"), ("text", "no PEM public key"), ("no", "No such")):
        with pytest.raises(InvalidInputError, match=why):
            Keyring(tmp_path).trust(private.with_name(f"{name}.pem"))


def test_the_probe_signs_and_tells_the_key_and_its_mode(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    assert keyring.describe() == "no key yet, made at the first registration; 0 trusted"
    fingerprint, _ = keyring.sign(CONTENT)
    assert keyring.describe() == f"key {fingerprint[:16]}, mode 0600, signs; 1 trusted"

    (tmp_path / "keys" / "signing.pem").chmod(0o604)
    with pytest.raises(InvalidInputError, match="mode 0604"):
        keyring.describe()
    (tmp_path / "keys").chmod(0o777)
    with pytest.raises(UnavailableError, match="chmod 700"):
        keyring.describe()


def test_keys_are_changed_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["--home", str(tmp_path), "keys", *words])
        out, err = capsys.readouterr()
        assert left.value.code == (1 if err else 0)
        return out + err

    assert run("export").startswith("-----BEGIN PUBLIC KEY-----")
    old = run("list").split()[0]
    new = run("rotate").split()[0]
    assert run("revoke", old) == f"{old} counts no more.\n"
    assert run("list").splitlines() == [f"{new}  signs", f"{old}  revoked"]
    (tmp_path / "other.pem").write_text(Keyring(tmp_path / "other").public_pem())
    other = run("trust", str(tmp_path / "other.pem")).split()[0]
    assert f"{other}  trusted" in run("list")
    assert "rotate first" in run("revoke", new)

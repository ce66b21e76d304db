"""Pickles: each harmful one refused unread, ordinary estimators let through."""

import copy
import io
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
from tests.registry.estimators import ESTIMATORS, fitted
from tests.registry.hostile_pickles import GADGETS, TRICKS, gadget

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.modelfiles import pickle_names, pickles
from ml_orchestrator.modelfiles.pickles import load_pickle, scan_pickle

PROTOCOLS = (0, 2, 4, 5)


def test_the_payloads_work_where_nobody_looks(tmp_path: Path) -> None:
    for protocol in PROTOCOLS:
        canary = tmp_path / str(protocol)
        pickle.loads(gadget("os.system", canary, protocol=protocol))
        pickle.loads(gadget("builtins.exec", tmp_path / f"exec{protocol}", protocol=protocol))
        assert canary.exists()
        assert (tmp_path / f"exec{protocol}").exists()


@pytest.mark.parametrize("name", GADGETS)
def test_a_gadget_is_refused_by_name_in_every_protocol(tmp_path: Path, name: str) -> None:
    path, canary = tmp_path / "model.pkl", tmp_path / "canary"
    for protocol in PROTOCOLS:
        path.write_bytes(gadget(name, canary, protocol=protocol))
        with pytest.raises(IntegrityViolationError, match=r"The pickle names '.+'; it was not"):
            load_pickle(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pkl"]


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_refused(tmp_path: Path, name: str) -> None:
    path, canary = tmp_path / "model.pkl", tmp_path / "canary"
    path.write_bytes(TRICKS[name](canary))
    with pytest.raises(IntegrityViolationError, match="The pickle"):
        load_pickle(path)
    assert not canary.exists()


@pytest.mark.parametrize("name", [*GADGETS, *TRICKS])
def test_the_unpickler_alone_would_not_run_it_either(tmp_path: Path, name: str) -> None:
    """Should the scan ever be fooled, the same list stands behind it."""
    canary = tmp_path / "canary"
    made = gadget(name, canary, protocol=4) if name in GADGETS else TRICKS[name](canary)
    if name in {"nested", "contains-itself", "laughs-from-inside", "laughs-from-outside"}:
        return  # harmless to build; only a walk through them is not
    try:
        found = pickles._Restricted(io.BytesIO(made)).load()
    except (*pickles._FAULTS, IntegrityViolationError):
        found = None
    assert not canary.exists()
    assert not callable(getattr(found, "system", None))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_ordinary_estimators_survive_every_protocol(tmp_path: Path, name: str) -> None:
    estimator, table = fitted(name)
    path = tmp_path / "model.pkl"
    for protocol in range(6):
        path.write_bytes(pickle.dumps(estimator, protocol))
        again = load_pickle(path)
        assert np.array_equal(again.predict(table), estimator.predict(table))


def test_caps_on_bytes_and_opcodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MAX_OPCODES", 100)
    with pytest.raises(IntegrityViolationError, match="more than 100 opcodes"):
        scan_pickle(b"(" + b"N" * 120 + b"t.")
    monkeypatch.setattr(pickles, "MAX_BYTES", 10)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps("x" * 20))
    with pytest.raises(IntegrityViolationError, match="at most 10 are read"):
        load_pickle(path)
    with pytest.raises(IntegrityViolationError, match="at most 10 are read"):
        scan_pickle(path.read_bytes())


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"Psomewhere\n.", "PERSID"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"N2\x86.", "DUP"),
        (b"NN0.", "POP"),
        (b"U\x01a.", "SHORT_BINSTRING"),
        (b"\x80\x02\x8b\x01\x00\x00\x00\x01.", "LONG4"),
    ],
)
def test_an_opcode_outside_the_list_is_refused_by_name(
    tmp_path: Path, content: bytes, name: str
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(IntegrityViolationError, match=f"^The pickle uses {name}; it was not"):
        load_pickle(path)


def test_every_opcode_that_there_is_or_will_be_is_refused_unless_it_is_on_the_list() -> None:
    known = {opcode.name: opcode for opcode in pickletools.opcodes}
    assert known.keys() >= pickles._FOLLOWED
    of_a_later_python = copy.copy(known["NONE"])
    of_a_later_python.name = "TELEPORT"
    outside = [known[name] for name in known.keys() - pickles._FOLLOWED]
    assert {"INST", "OBJ", "NEWOBJ_EX", "EXT4"} <= known.keys() - pickles._FOLLOWED
    for opcode in (*outside, of_a_later_python):
        with pytest.raises(IntegrityViolationError, match=f"uses {opcode.name};"):
            pickles._Machine().step(opcode, None)


def test_every_name_on_the_list_exists_or_stands_for_one_that_does() -> None:
    for full in pickle_names.NAMES:
        assert pickle_names.resolve(*full.split(" ")) is not None
    with pytest.raises(IntegrityViolationError, match=r"names 'os\.system'"):
        pickle_names.resolve("os", "system")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_random_bytes_and_flipped_bits_end_in_an_answer_or_a_refusal(tmp_path: Path) -> None:
    estimator, table = fitted("DecisionTreeClassifier")
    good = pickle.dumps(estimator, 4)
    rng = np.random.default_rng(3)
    path = tmp_path / "model.pkl"
    refused = 0
    for _ in range(300):
        damaged = bytearray(good)
        damaged[rng.integers(len(good))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            load_pickle(path)
        except IntegrityViolationError:
            refused += 1
    assert refused > 50
    for size in range(200):
        path.write_bytes(rng.bytes(size))
        with pytest.raises(IntegrityViolationError):
            load_pickle(path)
    assert len(table) > 0

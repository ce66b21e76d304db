import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.serving.loader import load_model

X = np.random.default_rng(0).normal(size=(60, 2))
Y = (X[:, 0] > 0).astype(int)
INPUTS = json.dumps([{"type": "double", "name": name, "required": True} for name in "ab"])


class Evil:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path("ran"),)  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.skops"


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        RandomForestClassifier(3, random_state=0),
        HistGradientBoostingRegressor(max_iter=3),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_ordinary_estimators_load_and_predict_the_same(path: Path, estimator: Any) -> None:
    estimator.fit(X, Y)
    skops.io.dump(estimator, path)
    loaded = load_model(path, signature_inputs=INPUTS)
    assert np.array_equal(loaded.estimator.predict(X), estimator.predict(X))
    assert [(c.name, c.kind, c.is_required) for c in loaded.columns] == [
        ("a", "double", True),
        ("b", "double", True),
    ]


def test_a_pickle_in_a_skops_name_is_refused_and_does_not_run(path: Path) -> None:
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(IntegrityViolationError, match="not a skops archive"):
        load_model(path, signature_inputs=INPUTS)
    assert not Path("ran").exists()
    pickle.loads(path.read_bytes())
    assert Path("ran").exists()  # it would have


def test_a_function_that_skops_would_call_is_refused_by_name(path: Path) -> None:
    skops.io.dump(_system(), path)
    with pytest.raises(IntegrityViolationError, match=r"posix\.system|os\.system"):
        load_model(path, signature_inputs=INPUTS)


def _system() -> Any:
    import os

    return os.system


def test_types_of_ours_load_only_when_named(path: Path) -> None:
    skops.io.dump(LogisticRegression().fit(X, Y), path)
    _rename_type(path, "LogisticRegression", "SomethingElse")
    with pytest.raises(IntegrityViolationError):
        load_model(path, signature_inputs=INPUTS)


def _rename_type(path: Path, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["schema.json"] = members["schema.json"].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * 50_000_000)
    with pytest.raises(IntegrityViolationError, match="unpacks to 50000000 bytes"):
        load_model(path, signature_inputs=INPUTS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_not_plain_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("schema.json", "{}")
    with pytest.raises(IntegrityViolationError, match="not a plain skops archive"):
        load_model(path, signature_inputs=INPUTS)

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(IntegrityViolationError, match="not a plain skops archive"):
        load_model(path, signature_inputs=INPUTS)


@pytest.mark.parametrize(
    "schema", ["", "[]", "{}", '{"__class__": 1}', "[" * 5_000, "null", "\xff"]
)
def test_a_damaged_schema_is_refused(path: Path, schema: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", schema.encode("latin-1"))
    with pytest.raises(IntegrityViolationError):
        load_model(path, signature_inputs=INPUTS)


@pytest.mark.parametrize("cut", [1, 100, 1_000])
def test_a_cut_file_is_refused(path: Path, cut: int) -> None:
    skops.io.dump(RandomForestClassifier(2, random_state=0).fit(X, Y), path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(IntegrityViolationError):
        load_model(path, signature_inputs=INPUTS)


def test_a_flipped_byte_inside_a_member_is_refused(path: Path) -> None:
    skops.io.dump(RandomForestClassifier(2, random_state=0).fit(X, Y), path)
    content = bytearray(path.read_bytes())
    content[content.index(b'"__module__"')] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(IntegrityViolationError):
        load_model(path, signature_inputs=INPUTS)


@pytest.mark.parametrize(
    "inputs",
    ["", "null", "[]", "{}", "[1]", '[{"type": "double"}]', '[{"type": "odd", "name": "a"}]',
     '[{"type": ["double"], "name": "a"}]', '[{"type": "double", "name": 1}]',
     '[{"type": "double", "name": "a"}, {"type": "double", "name": "a"}]', "[" * 100_000],
)  # fmt: skip
def test_a_signature_that_is_no_list_of_columns_is_refused(path: Path, inputs: str) -> None:
    skops.io.dump(LogisticRegression().fit(X, Y), path)
    with pytest.raises(IntegrityViolationError, match="signature"):
        load_model(path, signature_inputs=inputs)

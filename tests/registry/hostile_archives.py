"""Archives in the place of a skops file, each made to do harm when it is opened or loaded."""

import functools
import gzip
import io
import json
import lzma
import operator
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse
import skops.io
from sklearn.preprocessing import FunctionTransformer
from tests.registry.hostile_pickles import gadget

Build = Callable[[Path, Path], None]  # the model file, the canary


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _schema(node: dict[str, Any], **members: bytes) -> Build:
    """An archive whose schema is ``node``."""

    def build(path: Path, _: Path) -> None:
        whole = {"protocol": skops_protocol(), "_skops_version": "0.16.0", **node}
        named = {name.replace("__", "."): content for name, content in members.items()}
        _write(path, {"schema.json": json.dumps(whole).encode(), **named})

    return build


def skops_protocol() -> int:
    """The protocol that skops writes."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(1))) as archive:
        protocol: int = json.loads(archive.read("schema.json"))["protocol"]
    return protocol


def _node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def _json(value: Any) -> dict[str, Any]:
    return _node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def _list(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _node("ListNode", "builtins", "list", content=list(items), **more)


def _dump(thing: Any) -> Build:
    return lambda path, _: skops.io.dump(thing, path)


def _with(name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> Build:
    """The good archive and one more member."""
    return lambda path, _: _write(path, {**_members(path), name: content}, method)


def _bytes(make: Callable[[Path], bytes]) -> Build:
    return lambda path, canary: _put(path, make(canary))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _zipped(name: str, make: Callable[[Path], bytes]) -> Build:
    return lambda path, canary: _write(path, {name: make(canary), "archive/version": b"3"})


def _system(canary: Path, protocol: int = 2) -> bytes:
    return gadget("os.system", canary, protocol=protocol)


def _npy(array: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **more)
    return file.getvalue()


class _Payload:
    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self._canary}",)


def _objects(canary: Path) -> bytes:
    return _npy(np.array([_Payload(canary)], dtype=object), allow_pickle=True)


def _npz(canary: Path) -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.array([_Payload(canary)], dtype=object))
    return file.getvalue()


def _lying_header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + b"\0" * 8


def _array_node(file: str = "1.npy") -> dict[str, Any]:
    return _node("NdArrayNode", "numpy", "ndarray", type="numpy", file=file)


def _joblib(**more: Any) -> Build:
    return lambda path, canary: _dumped(path, _Payload(canary), more)


def _dumped(path: Path, thing: Any, more: dict[str, Any]) -> None:
    joblib.dump([np.arange(1_000), thing], path, **more)


def _bad_crc(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b'"__module__"')] ^= 0x20
    path.write_bytes(content)


def _encrypted(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(mark)
        content[at + offset] |= 1
    path.write_bytes(content)


def _twice(name: str) -> Build:
    def build(path: Path, _: Path) -> None:
        content = path.read_bytes()
        other = "A" * len(name)
        _write(path, {**_members(path), other: b"{}"})
        renamed = path.read_bytes().replace(other.encode(), name.encode())
        path.write_bytes(renamed)
        assert content != renamed

    return build


def _hidden_in_front(path: Path, canary: Path) -> None:
    """A pickle and an archive in one file; which it is depends on who reads it."""
    path.write_bytes(_system(canary) + path.read_bytes())


def _laughs() -> dict[str, Any]:
    """Twenty-five lists, each of which holds the one before four times, by reference."""
    node = _list(_json(1), __id__=1)
    for index in range(2, 27):
        again = {"__id__": index - 1, **_node("CachedNode", "builtins", "list")}
        node = _list(node, again, again, again, __id__=index)
    return node


def _deep() -> dict[str, Any]:
    node = _list()
    for _ in range(300):
        node = _list(node)
    return node


def _sparse_bomb() -> bytes:
    file = io.BytesIO()
    scipy.sparse.save_npz(file, scipy.sparse.csr_matrix((3, 3)))
    with zipfile.ZipFile(io.BytesIO(file.getvalue())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = io.BytesIO()
    members["data.npy"] = _npy(np.zeros(8_000_000))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return bomb.getvalue()


def _zip_of(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner", content)
    return file.getvalue()


def _endless_directory(path: Path, _: Path) -> None:
    """A million members of nothing, each a few bytes in the file and an object in memory."""
    entry = b"PK\x01\x02" + struct.pack(
        "<6H3L5H2L", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    )
    entries = (entry + b"a") * 1_000_000
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 65535, 65535, len(entries), 4, 0)
    path.write_bytes(b"PK\x03\x04" + entries + end)


_TRANSFORMER = FunctionTransformer(os.system)
_ARCHIVE, _TYPES = "archive_is_plain", "types_are_trusted"

# name: what makes it, and the check that must find it
ARCHIVES: dict[str, tuple[Build, str]] = {
    "pickle-0-named-skops": (_bytes(lambda c: _system(c, 0)), _ARCHIVE),
    "pickle-2-named-skops": (_bytes(_system), _ARCHIVE),
    "pickle-4-named-skops": (_bytes(lambda c: _system(c, 4)), _ARCHIVE),
    "pickle-5-named-skops": (_bytes(lambda c: _system(c, 5)), _ARCHIVE),
    "pickle-gzipped": (_bytes(lambda c: gzip.compress(_system(c))), _ARCHIVE),
    "pickle-zlibbed": (_bytes(lambda c: zlib.compress(_system(c))), _ARCHIVE),
    "pickle-xz": (_bytes(lambda c: lzma.compress(_system(c))), _ARCHIVE),
    "joblib-plain": (_joblib(), _ARCHIVE),
    "joblib-zlib": (_joblib(compress=("zlib", 3)), _ARCHIVE),
    "joblib-gzip": (_joblib(compress=("gzip", 3)), _ARCHIVE),
    "joblib-lzma": (_joblib(compress=("lzma", 3)), _ARCHIVE),
    "torch-zip": (_zipped("archive/data.pkl", _system), _ARCHIVE),
    "torch-zip-with-a-schema": (
        lambda path, c: _write(path, {**_members(path), "archive/data.pkl": _system(c)}),
        _ARCHIVE,
    ),
    "pickle-member": (lambda path, c: _write(path, {**_members(path), "m.pkl": _system(c)}),
                      _ARCHIVE),
    "numpy-objects": (_bytes(_objects), _ARCHIVE),
    "numpy-archive-of-objects": (_bytes(_npz), _ARCHIVE),
    "objects-as-a-member": (
        lambda path, c: _write(
            path,
            {"schema.json": json.dumps({"protocol": 2, **_array_node()}).encode(),
             "1.npy": _objects(c)},
        ),
        _ARCHIVE,
    ),
    "pickle-in-front-of-the-archive": (_hidden_in_front, _ARCHIVE),
    "empty": (_bytes(lambda _: b""), _ARCHIVE),
    "python-source": (_bytes(lambda c: f"open({str(c)!r}, 'w')".encode()), _ARCHIVE),
    "shared-library": (_bytes(lambda _: b"\x7fELF" + b"\0" * 100), _ARCHIVE),
    "no-schema": (lambda path, _: _write(path, {"1.npy": _npy(np.zeros(3))}), _ARCHIVE),
    "slip-upwards": (_with("../../canary", b"x"), _ARCHIVE),
    "slip-absolute": (_with("/tmp/canary", b"x"), _ARCHIVE),
    "slip-backslash": (_with("..\\canary", b"x"), _ARCHIVE),
    "folder-member": (_with("folder/", b""), _ARCHIVE),
    "nested-archive": (_with("inner.zip", _zip_of(b"x" * 100)), _ARCHIVE),
    "nested-archive-as-a-matrix": (_with("inner.npz", _zip_of(b"x" * 100)), _ARCHIVE),
    "bomb": (_with("big.bin", b"\0" * 30_000_000, zipfile.ZIP_DEFLATED), _ARCHIVE),
    "bomb-in-a-matrix": (_with("big.npz", _sparse_bomb()), _ARCHIVE),
    "bomb-bzip2": (_with("big.bin", b"\0" * 1_000_000, zipfile.ZIP_BZIP2), _ARCHIVE),
    "bomb-lzma": (_with("big.bin", b"\0" * 1_000_000, zipfile.ZIP_LZMA), _ARCHIVE),
    "array-without-end": (_with("big.npy", _lying_header((1 << 50,))), _ARCHIVE),
    "array-too-short": (_with("big.npy", _lying_header((3, 3))), _ARCHIVE),
    "array-of-negative-size": (_with("big.npy", _lying_header((-1, -1))), _ARCHIVE),
    "array-of-endless-numbers": (_with("big.npy", _lying_header((2,), "|V2147483647")), _ARCHIVE),
    "array-with-code-in-its-header": (
        _with("big.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 20) + b"__import__('os')    \n"),
        _ARCHIVE,
    ),
    "endless-directory": (_endless_directory, _ARCHIVE),
    "bad-checksum": (_bad_crc, _ARCHIVE),
    "encrypted": (_encrypted, _ARCHIVE),
    "two-schemas": (_twice("schema.json"), _ARCHIVE),
    "two-schemas-but-for-case": (_with("SCHEMA.json", b"{}"), _ARCHIVE),
    "schema-deep": (_schema(_deep()), _ARCHIVE),
    "schema-deeper": (
        lambda path, _: _write(path, {"schema.json": b"[" * 100_000}), _ARCHIVE),
    "schema-laughs": (_schema(_laughs()), _ARCHIVE),
    "schema-of-an-older-skops": (
        _schema({**_node("FunctionNode", "os", "system",
                         content={"module_path": "os", "function": "system"}), "protocol": 0}),
        _ARCHIVE,
    ),
    "schema-of-no-protocol": (_schema({**_json(1), "protocol": "2"}), _ARCHIVE),
    "function-os-system": (_dump(os.system), _TYPES),
    "function-eval": (_dump(eval), _TYPES),
    "function-in-a-pipeline": (_dump(_TRANSFORMER), _TYPES),
    "partial": (_dump(functools.partial(os.system, "true")), _TYPES),
    "methodcaller": (_dump(operator.methodcaller("system", "true")), _TYPES),
    "attrgetter": (_dump(operator.attrgetter("__class__.__base__")), _TYPES),
    "operator-of-another-name": (
        _schema(_node("OperatorFuncNode", "operator", "call",
                      attrs=_node("TupleNode", "builtins", "tuple", content=[]))),
        _TYPES,
    ),
    "operator-of-another-module": (
        _schema(_node("OperatorFuncNode", "os", "system",
                      attrs=_node("TupleNode", "builtins", "tuple", content=[_json("true")]))),
        _TYPES,
    ),
    "method-of-another-type": (
        _schema(_node("MethodNode", "builtins", "str",
                      content={"obj": _node("TypeNode", "os", "system"), "func": "__call__"})),
        _TYPES,
    ),
    "method": (_schema(_node("MethodNode", "builtins", "list",
                             content={"obj": _list(), "func": "__class__"})), _TYPES),
    "type-of-os": (_schema(_node("TypeNode", "os", "_wrap_close")), _TYPES),
    "object-of-subprocess": (_schema(_node("ObjectNode", "subprocess", "Popen")), _TYPES),
    "constructor": (
        _schema(_node("ConstructorFromReduceNode", "subprocess", "Popen",
                      content=_node("TupleNode", "builtins", "tuple", content=[_json("true")]))),
        _TYPES,
    ),
    "random-generator-of-another-name": (
        _schema(_node("RandomGeneratorNode", "numpy.random", "Generator",
                      content={"bit_generator": {"content": {"bit_generator": _json("seed")}},
                               "seed_seq": _json(1)})),
        _TYPES,
    ),
    "reference-to-nothing": (_schema(_node("CachedNode", "builtins", "list", __id__=7)), _TYPES),
    "loader-of-no-name": (_schema(_node("EvilNode", "os", "system")), _TYPES),
    "renamed-estimator": (
        lambda path, _: _write(
            path,
            {n: c.replace(b'"LogisticRegression"', b'"Popen"').replace(
                b'"sklearn.linear_model._logistic"', b'"subprocess"')
             for n, c in _members(path).items()},
        ),
        _TYPES,
    ),
}  # fmt: skip


def gzipped_pickle(canary: Path) -> bytes:
    """A compressed pickle, for a file with a pickle's name."""
    return gzip.compress(pickle.dumps(_Payload(canary)))

"""Baselines as bytes: a header in JSON, then plain arrays. Reading one runs no code.

    ml-orchestrator baseline          what it is
    1                                 version of the format
    64 hexadecimal digits             SHA-256 of all that follows
    8 bytes, header, arrays           length of the header, header, arrays

Numbers are float64 and counts int64, both little-endian, vectors one after another; categories
stand in the header.
"""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError, UnavailableError
from ml_orchestrator.health.baseline import Baseline
from ml_orchestrator.health.drift.contract import Sample, is_missing

__all__ = ["FORMAT_VERSION", "baseline_bytes", "baseline_from"]

FORMAT_VERSION = 1
MAGIC = b"ml-orchestrator baseline\n"
_PLAIN = (str, bool, int, float)
_LENGTH = struct.Struct("<Q")


def baseline_bytes(baseline: Baseline) -> bytes:
    """Return a baseline in the format of this module; equal ones give equal bytes.

    Raises:
        InvalidInputError: a category is neither text, number nor boolean.
    """
    arrays = _Arrays()
    header = {
        "source": baseline.source,
        "n_rows": baseline.n_rows,
        "facts": baseline.facts,
        "samples": [_sample_entry(sample, arrays) for sample in baseline.samples.values()],
        "rows": [_row_entry(name, array, arrays) for name, array in baseline.rows.items()],
    }
    text = json.dumps(header, sort_keys=True).encode()
    body = b"".join([_LENGTH.pack(len(text)), text, *arrays.chunks])
    digest = hashlib.sha256(body).hexdigest().encode()
    return MAGIC + f"{FORMAT_VERSION}\n".encode() + digest + b"\n" + body


def baseline_from(content: bytes, *, name: str) -> Baseline:
    """Return the baseline in ``content``.

    Args:
        content: what `baseline_bytes` returned.
        name: what to call it in an error.

    Raises:
        IntegrityViolationError: it is no baseline, or not byte for byte what was written.
        UnavailableError: a later release wrote it.
    """
    body = _checked_body(content, name)
    try:
        (length,) = _LENGTH.unpack_from(body)
        start = _LENGTH.size
        header = json.loads(body[start : start + length])
        view = memoryview(body)[start + length :]
        return Baseline(
            source=header["source"],
            n_rows=header["n_rows"],
            samples={e["name"]: _sample(e, view) for e in header["samples"]},
            rows={e["name"]: _row_values(e, view) for e in header["rows"]},
            facts=header["facts"],
        )
    except (KeyError, IndexError, TypeError, ValueError, struct.error) as error:
        raise IntegrityViolationError(
            f"Baseline {name!r} is whole but says what no release writes ({error!r}). {_ADVICE}"
        ) from error


_ADVICE = "Remove the file and save the baseline again from its data."


def _checked_body(content: bytes, name: str) -> bytes:
    parts = content.removeprefix(MAGIC).split(b"\n", 2)
    if not content.startswith(MAGIC) or len(parts) != 3:
        raise IntegrityViolationError(f"Baseline {name!r} is not a baseline file. {_ADVICE}")
    version, digest, body = parts
    if version != str(FORMAT_VERSION).encode():
        raise UnavailableError(
            f"Baseline {name!r} has format {version[:20].decode(errors='replace')}; this release "
            f"reads {FORMAT_VERSION}. Use the release that wrote it, or save it again."
        )
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise IntegrityViolationError(
            f"Baseline {name!r} is damaged: its content is not what was written. {_ADVICE}"
        )
    return body


class _Arrays:
    """Collects arrays and says where each begins, in bytes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self._at = 0

    def add(self, array: NDArray[Any], dtype: str) -> dict[str, Any]:
        chunk = np.ascontiguousarray(array, dtype=dtype).tobytes()
        place = {"at": self._at, "n": int(array.size), "dtype": dtype}
        self.chunks.append(chunk)
        self._at += len(chunk)
        return place


def _read(place: Mapping[str, Any], view: memoryview) -> NDArray[Any]:
    if place["dtype"] not in ("<f8", "<i8"):
        raise ValueError(f"dtype {place['dtype']!r}")
    return np.frombuffer(view, dtype=place["dtype"], count=place["n"], offset=place["at"])


def _sample_entry(sample: Sample, arrays: _Arrays) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": sample.column, "kind": sample.kind, "n_rows": sample.n_rows}
    if sample.kind in ("numeric", "vectors"):
        return {**entry, **_numbers_entry(sample.values, arrays)}
    categories, codes = _encoded(sample.column, sample.values.tolist())
    counts = np.bincount(codes, minlength=len(categories))
    return {**entry, "categories": categories, "counts": arrays.add(counts, "<i8")}


def _sample(entry: Mapping[str, Any], view: memoryview) -> Sample:
    kind, n_rows = entry["kind"], entry["n_rows"]
    if kind in ("numeric", "vectors"):
        return Sample(entry["name"], kind, _numbers(entry, view), n_rows)
    values = np.repeat(_objects(entry["categories"]), _read(entry["counts"], view))
    return Sample(entry["name"], "categorical", values, n_rows)


def _row_entry(name: str, array: NDArray[Any], arrays: _Arrays) -> dict[str, Any]:
    if array.dtype.kind in "iuf":
        return {"name": name, **_numbers_entry(array, arrays)}
    values = [None if is_missing(value) else value for value in array.tolist()]
    categories, codes = _encoded(name, values)
    return {"name": name, "categories": categories, "codes": arrays.add(codes, "<i8")}


def _row_values(entry: Mapping[str, Any], view: memoryview) -> NDArray[Any]:
    if "values" in entry:
        return _numbers(entry, view)
    values: NDArray[Any] = _objects(entry["categories"])[_read(entry["codes"], view)]
    return values


def _numbers_entry(array: NDArray[Any], arrays: _Arrays) -> dict[str, Any]:
    place = {"values": arrays.add(array, "<f8")}
    return place if array.ndim == 1 else {**place, "width": int(array.shape[1])}


def _numbers(entry: Mapping[str, Any], view: memoryview) -> NDArray[Any]:
    values = _read(entry["values"], view)
    return values.reshape(-1, entry["width"]) if "width" in entry else values


def _encoded(column: str, values: Sequence[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the distinct values in the order of their text, and the place of each value."""
    known: dict[tuple[type, Any], Any] = {(type(v), v): v for v in values}
    if odd := [v for v in known.values() if v is not None and not isinstance(v, _PLAIN)]:
        raise InvalidInputError(
            f"Column {column!r} holds a {type(odd[0]).__name__}; a baseline keeps text, numbers "
            "and booleans."
        )
    order = sorted(known, key=lambda key: (str(key[1]), key[0].__name__))
    place = {key: i for i, key in enumerate(order)}
    codes = np.fromiter((place[type(v), v] for v in values), np.intp, len(values))
    return [known[key] for key in order], codes


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array

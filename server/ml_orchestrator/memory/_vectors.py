"""Vectors of what records mean, kept beside them.

They belong to a record and a model; a record that goes takes its vectors along. They are made
when a search needs them, a bounded number at a time.
"""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, bindparam, text

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.memory.meaning import Meaning
from ml_orchestrator.memory.search import meant
from ml_orchestrator.storage.engine import Database

__all__ = ["Embedder", "KeptVectors", "Vectors", "open_meaning", "open_model"]

Vectors: TypeAlias = npt.NDArray[np.float32]
MAX_MADE = 2_000  # vectors that one search makes
MAX_COMPARED = 20_000  # of the newest records; held in memory, 4 bytes a number
MAX_NEAR = 50
CHUNK = 500  # of the nearest, asked at once whether they fit
LEAST_SIMILARITY = 0.3  # cosine; what is further away means something else
STORED = np.dtype("<f2")  # half precision: two bytes a number are enough to rank by
_log = logging.getLogger(__name__)

_NEWEST = text("SELECT seq, id FROM memory_records ORDER BY seq DESC LIMIT 1")
_ID = text("SELECT id FROM memory_records WHERE seq = :seq")
_WITHOUT = text(
    "SELECT seq, id, kind, payload FROM memory_records r WHERE seq > :after AND NOT EXISTS ("
    "SELECT 1 FROM memory_vectors v WHERE v.model = :model AND v.record_id = r.id) "
    "ORDER BY seq DESC LIMIT :limit"
)
_KEEP = text(  # a record may have gone meanwhile, and another process may have been faster
    "INSERT INTO memory_vectors (model, record_id, vector) "
    "SELECT CAST(:model AS VARCHAR(32)), id, :vector FROM memory_records WHERE id = :id "
    "ON CONFLICT (model, record_id) DO NOTHING"
)
_KEPT = (
    "SELECT v.seq AS place, v.model, r.seq, r.id, v.vector FROM memory_vectors v "
    "JOIN memory_records r ON r.id = v.record_id "
)
_FIRST = text(_KEPT + "WHERE v.model = :model ORDER BY r.seq DESC LIMIT :most")
_LATER = text(_KEPT + "WHERE v.seq > :seen ORDER BY v.seq LIMIT :most")  # few, of any model
_FITTING = "SELECT seq, id FROM memory_records WHERE {conditions} AND seq IN :near"


class Embedder(Protocol):
    """Turns texts into vectors; thread-safe."""

    digest: str  # names the model: vectors of two models are not compared

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, (n_texts, n_dimensions); zeros for a text without known words."""
        ...


def open_meaning(database: Database, folder: Path) -> Meaning:
    """Read the model in ``folder`` and keep its vectors in ``database``; errors as `open_model`."""
    return KeptVectors(database, open_model(folder))


def open_model(folder: Path) -> Embedder:
    """Read the model in ``folder``.

    Raises:
        UnavailableError: the extra is not installed, or there is no model.
    """
    try:
        adapter = import_alone("ml_orchestrator.memory._model2vec")
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"ML_ORCHESTRATOR_MEMORY_EMBEDDINGS is set, and {error.name} is not installed. "
            f"Install it: {pip_install('embeddings')}, or unset it to search by words alone."
        ) from error
    embedder: Embedder = adapter.open_embedder(folder)
    return embedder


@dataclass(frozen=True, slots=True)
class _Held:
    """Vectors in memory: of record ``seqs[i]`` with the id ``ids[i]``, row i of ``vectors``."""

    seqs: npt.NDArray[np.int64]
    ids: Sequence[str]
    vectors: Vectors
    seen: int  # number of the last vector that was brought in


class KeptVectors:
    """A ``Meaning`` whose vectors are in the state database, by one model; thread-safe."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder
        self._turn = threading.Lock()
        self._complete_to: tuple[int, str] | None = None  # all up to this record have vectors
        self._held: _Held | None = None

    def prepare(self) -> None:
        """Make vectors of the newest records that have none, ``MAX_MADE`` at most.

        Where they cannot be kept (a full disk, a busy database), the search goes on with those
        that are there.
        """
        with self._turn:
            newest, rows = self._database.read(self._without)
            if not rows or self._keep(rows):
                is_complete = newest is not None and len(rows) < MAX_MADE
                self._complete_to = (newest.seq, newest.id) if newest and is_complete else None
            self._held = self._database.read(self._brought_in)

    def nearest(
        self,
        connection: Connection,
        query: str,
        conditions: Sequence[str],
        values: Mapping[str, Any],
    ) -> dict[int, float]:
        """Compare the query with the newest records; the nearest that fit come first."""
        if (held := self._held) is None or not len(held.seqs):
            return {}
        cosines = held.vectors @ self._embedder.encode([query])[0]
        order = np.argsort(-cosines, kind="stable")
        near = order[cosines[order] >= LEAST_SIMILARITY]
        fitting = text(_FITTING.format(conditions=" AND ".join(conditions))).bindparams(
            bindparam("near", expanding=True)
        )
        found: dict[int, float] = {}
        for start in range(0, len(near), CHUNK):
            some = near[start : start + CHUNK]
            asked = {**values, "near": held.seqs[some].tolist()}
            there = {(row.seq, row.id) for row in connection.execute(fitting, asked)}
            for place in some:
                if (seq := int(held.seqs[place]), held.ids[place]) in there:
                    found[seq] = float(cosines[place])
            if len(found) >= MAX_NEAR:
                break
        return dict(list(found.items())[:MAX_NEAR])

    def _without(self, connection: Connection) -> tuple[Row[Any] | None, Sequence[Row[Any]]]:
        """Return the newest record, and those to make vectors of."""
        newest = connection.execute(_NEWEST).first()
        after = 0
        if self._complete_to is not None:
            seq, id_ = self._complete_to
            is_there = connection.scalar(_ID, {"seq": seq}) == id_  # SQLite gives numbers again
            after = seq if is_there else 0
        asked = {"model": self._embedder.digest, "after": after, "limit": MAX_MADE}
        return newest, connection.execute(_WITHOUT, asked).all()

    def _keep(self, rows: Sequence[Row[Any]]) -> bool:
        """Make vectors of records and store them; say whether that was possible."""
        made = self._embedder.encode([meant(row.kind, json.loads(row.payload)) for row in rows])
        kept = [
            {"model": self._embedder.digest, "id": row.id, "vector": vector.tobytes()}
            for row, vector in zip(rows, made.astype(STORED), strict=True)
        ]
        try:
            self._database.write(lambda c: c.execute(_KEEP, kept))
        except UnavailableError:
            _log.warning("Vectors of memory could not be kept", exc_info=True)
            return False
        return True

    def _brought_in(self, connection: Connection) -> _Held | None:
        """Return what is held, with the vectors that were kept since, the newest records first."""
        held = self._held
        seen = 0 if held is None else held.seen
        model = self._embedder.digest
        if held is None:
            asked: dict[str, Any] = {"model": model, "most": MAX_COMPARED}
            rows = connection.execute(_FIRST, asked).all()
        else:
            later = connection.execute(_LATER, {"seen": seen, "most": MAX_COMPARED}).all()
            seen = max([seen, *(row.place for row in later)])
            rows = [row for row in later if row.model == model]
        if not rows:
            return held and replace(held, seen=seen)
        seqs = np.array([row.seq for row in rows], dtype=np.int64)
        ids = [row.id for row in rows]
        stored = np.frombuffer(b"".join(row.vector for row in rows), dtype=STORED)
        vectors: Vectors = stored.reshape(len(rows), -1).astype(np.float32)
        if held is not None:
            seqs, ids = np.concatenate([seqs, held.seqs]), [*ids, *held.ids]
            vectors = np.concatenate([vectors, held.vectors])
        kept = np.argsort(-seqs, kind="stable")[:MAX_COMPARED]
        seen = max([seen, *(row.place for row in rows)])
        return _Held(seqs[kept], [ids[place] for place in kept], vectors[kept], seen)

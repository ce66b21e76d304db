"""Search by meaning: what is worded otherwise is found, with a model in a folder and no network."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from model2vec import StaticModel
from sqlalchemy import text
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from ml_orchestrator.app import build_services
from ml_orchestrator.doors import Door
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.memory import _vectors
from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory._vectors import KeptVectors, open_meaning
from ml_orchestrator.memory.meaning import Meaning
from ml_orchestrator.memory.models import Insight, Task
from ml_orchestrator.memory.requests import Filters, Selection
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

AGENT = "ml-orchestrator"
# Words of the same direction mean the same: boats, heat, or neither.
DIRECTIONS = {
    "ship": (1, 0, 0), "vessel": (0.9, 0.1, 0), "boat": (1, 0, 0.1),
    "hot": (0, 1, 0), "warm": (0, 0.9, 0.2), "price": (0, 0, 1), "[UNK]": (0, 0, 0),
}  # fmt: skip


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    words = {word: number for number, word in enumerate(DIRECTIONS)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    vectors = np.array(list(DIRECTIONS.values()), dtype=np.float32)
    StaticModel(vectors, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture
def store(database: Database, model_folder: Path) -> SqlMemoryStore:
    meaning: Door[Meaning] = Door(lambda: open_meaning(database, model_folder))
    return SqlMemoryStore(database, meaning=meaning)


def say(store: SqlMemoryStore, said: str, agent: str = AGENT) -> str:
    task = Task(task_description=said, outcome="success")
    return store.save(agent, task=task).record_ids[0]


def n_vectors(database: Database) -> int:
    count = text("SELECT count(*) FROM memory_vectors")
    return database.read(lambda c: int(c.scalar(count) or 0))


def test_what_is_worded_otherwise_is_found_and_says_why(
    store: SqlMemoryStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    vessel, ship = say(store, "the vessel leaks"), say(store, "a ship sails")
    price, hot = say(store, "price of something"), say(store, "hot")

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    found = store.search("ship", Filters())

    assert [hit.record_id for hit in found.hits] == [ship, vessel]
    first, second = (hit.why for hit in found.hits)
    assert (first.words, first.similarity, first.relevance) == (["ship"], 1.0, 1.0)
    assert (second.words, second.relevance) == ([], round(61 / 62 / 2, 4))
    assert second.similarity == pytest.approx(0.9 / np.hypot(0.9, 0.1), abs=2e-3)
    by_words = SqlMemoryStore(database).search("ship", Filters())
    assert [hit.record_id for hit in by_words.hits] == [ship]
    assert by_words.hits[0].why.similarity is None
    assert [h.record_id for h in store.search("warm", Filters()).hits] == [hot]
    assert [h.record_id for h in store.search("price", Filters()).hits] == [price]


def test_filters_hold_for_what_means_the_same_and_pages_go_on(store: SqlMemoryStore) -> None:
    mine = [say(store, f"ship {number}") for number in range(3)]
    theirs = say(store, "vessel", agent="performance-engineer")
    store.save(AGENT, insights=[Insight(area="a", insight="boat", impact="low", confidence=1)])
    wanted = Filters(agent=AGENT, kind="task")

    only = store.search("vessel", wanted, limit=2)
    rest = store.search("vessel", wanted, limit=2, cursor=only.next_cursor)

    assert {hit.record_id for hit in (*only.hits, *rest.hits)} == set(mine)
    assert (len(only.hits), only.n_ranked, rest.next_cursor) == (2, 3, None)
    found = store.search("boat", Filters(agent="performance-engineer"))
    assert [hit.record_id for hit in found.hits] == [theirs]


def test_vectors_are_made_once_a_bounded_number_at_a_time_and_go_with_their_record(
    store: SqlMemoryStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vectors, "MAX_MADE", 2)
    made: list[int] = []
    keep = KeptVectors.prepare

    def prepare(self: KeptVectors) -> None:
        keep(self)
        made.append(n_vectors(database))

    monkeypatch.setattr(KeptVectors, "prepare", prepare)
    ids = [say(store, f"ship {number}") for number in range(5)]
    for _ in range(4):
        store.search("vessel", Filters())
    assert made == [2, 4, 5, 5]

    selection = Selection(record_ids=ids[-1:])
    plan = store.plan_forgetting(selection)
    store.forget(selection, digest=plan.digest, actor="x", reason="test")
    assert n_vectors(database) == 4
    again = say(store, "boat")  # SQLite gives it the number of the one that went

    found = store.search("vessel", Filters())
    assert again in {hit.record_id for hit in found.hits}
    assert (made[-1], len(found.hits)) == (5, 5)


def test_another_model_has_vectors_of_its_own(
    store: SqlMemoryStore, database: Database, model_folder: Path, tmp_path: Path
) -> None:
    hot = say(store, "hot")
    assert store.search("ship", Filters()).hits == []
    model = StaticModel.from_pretrained(model_folder)
    model.embedding = model.embedding[:, [1, 0, 2]] + model.embedding  # now all is one
    other = tmp_path / "other"
    model.save_pretrained(other)

    both = SqlMemoryStore(database, meaning=Door(lambda: open_meaning(database, other)))

    assert [hit.record_id for hit in both.search("ship", Filters()).hits] == [hot]
    assert store.search("ship", Filters()).hits == []
    assert n_vectors(database) == 2


@pytest.mark.parametrize("damage", ["nothing there", "no model"])
async def test_a_folder_without_a_model_is_named_when_it_is_searched(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if damage == "no model":
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            (folder / name).write_text("{}")
    settings = Settings(home=tmp_path / "home", project_dir=tmp_path, memory_embeddings=folder)
    collaboration = build_services(settings).collaboration

    await collaboration.save_memory(AGENT, task=Task(task_description="ship", outcome="success"))
    by_time = await collaboration.search_memory(None, Filters(), limit=5, cursor=None)
    with pytest.raises(UnavailableError, match=r"MEMORY_EMBEDDINGS names .*model.* or unset it"):
        await collaboration.search_memory("ship", Filters(), limit=5, cursor=None)

    assert len(by_time.hits) == 1
    assert ("Traceback" in caplog.text) == (damage == "no model")


def test_without_the_extra_the_error_says_what_to_install(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ml_orchestrator.memory._model2vec", raising=False)
    monkeypatch.setitem(sys.modules, "model2vec", None)
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)

    with pytest.raises(UnavailableError, match=r"ml-orchestrator-mcp\[embeddings\]"):
        open_meaning(database, model_folder)
    database.close()

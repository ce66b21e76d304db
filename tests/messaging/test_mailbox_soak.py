"""Eight processes on one mailbox, killed at any moment: the short form of ``soak.py``."""

from pathlib import Path

from sqlalchemy import delete, insert
from tests.messaging.soak import Soak, check, soak_mailbox

from ml_orchestrator.storage.schema import message_recipients, unread_counts


def test_no_acknowledged_message_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    soak = Soak(tmp_path, f"sqlite:///{tmp_path / 'state.db'}", writers=8, seed=1)

    n_deeds, faults = soak_mailbox(soak, rounds=2, seconds=0.5)

    assert faults == []
    assert n_deeds > 16


def test_the_checker_sees_what_is_lost_doubled_or_half_written(tmp_path: Path) -> None:
    soak = Soak(tmp_path, f"sqlite:///{tmp_path / 'state.db'}", writers=2, seed=1)
    database, box = soak.open()
    sent = box.send("writer-0", message_type="insight", content="7", target_agents=["writer-1"])
    box.send(
        "writer-0", message_type="insight", content="6", target_agents=["writer-1"],
        reply_to=sent.message_id,
    )  # fmt: skip
    database.write(lambda c: c.execute(delete(message_recipients)))
    database.write(lambda c: c.execute(insert(unread_counts).values(agent="x", n=1, n_urgent=0)))
    deeds = [
        {"writer": 0, "sent": "gone"},
        {"writer": 1, "acknowledged": [sent.message_id]},
        {"writer": 1, "acknowledged": [sent.message_id]},
    ]

    faults = " ".join(check(database, deeds, rounds=0))

    for said in (
        "lost",
        "half written",
        "delivered 2 times",
        "nobody reported",
        "out of order",
        "miscounted",
    ):
        assert said in faults
    database.close()

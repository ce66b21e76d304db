"""How much work waits behind what a running agent was told of."""

from pathlib import Path

import pytest

from ml_orchestrator.app import build_services
from ml_orchestrator.messaging.models import MOST_WORK_TOLD
from ml_orchestrator.services.collaboration import CollaborationService
from ml_orchestrator.services.handover import AgentSession, tell_news
from ml_orchestrator.settings import Settings

ME, YOU = "ml-orchestrator", "performance-engineer"


@pytest.fixture
def collaboration(tmp_path: Path) -> CollaborationService:
    settings = Settings.read({}, project_dir=tmp_path)
    return build_services(settings).collaboration


async def hand_over(collaboration: CollaborationService, n: int) -> list[str]:
    sent = [
        await collaboration.send(
            YOU,
            message_type="delegation",
            content=f"task {number}",
            target_agents=[ME],
            priority="high",
            metadata={},
            reply_to=None,
            ack_wanted=False,
            expires_in_s=None,
            idempotency_key=None,
        )
        for number in range(n)
    ]
    return [each.message_id for each in sent]


async def news(collaboration: CollaborationService, session: AgentSession) -> list[str]:
    """Return what is told until there is nothing more, as after each batch of calls."""
    told = []
    while text := await tell_news(collaboration, session, ME):
        told.append(text)
    return told


async def test_work_behind_what_was_told_is_counted_and_told_once_there_is_room(
    collaboration: CollaborationService,
) -> None:
    session = AgentSession(has_memory=True)
    ids = await hand_over(collaboration, MOST_WORK_TOLD + 5)
    first, *others = await news(collaboration, session)
    assert "5 more that hand work over or back wait behind those that you were told" in first
    assert session.told == set(ids[:MOST_WORK_TOLD])
    assert all("5 more" in text for text in others)

    ids += await hand_over(collaboration, 2)
    assert await news(collaboration, session) == [
        f"From the ml-orchestrator server, for {ME}: 7 more that hand work over or back wait "
        "behind those that you were told; they are told once you mark some of these as dealt "
        "with, and message_inbox lists all."
    ]

    await collaboration.acknowledge(ME, ids[:10])
    later = await news(collaboration, session)
    assert session.told == set(ids)
    assert "more that hand work over" not in "".join(later)


async def test_as_much_as_is_told_at_once_leaves_nothing_behind(
    collaboration: CollaborationService,
) -> None:
    await hand_over(collaboration, MOST_WORK_TOLD)

    texts = await news(collaboration, AgentSession(has_memory=True))

    assert texts
    assert "wait behind" not in "".join(texts)

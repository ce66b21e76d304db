"""The runs that are not over, as a client of the workflow database asks for them."""

from dbos import DBOSClient, WorkflowStatus

from ml_orchestrator.orchestration._dbos.database import QUEUES, UNFINISHED, WORKFLOW, of_pools
from ml_orchestrator.orchestration.sharing.pools import pools_of
from ml_orchestrator.orchestration.versions import PLAN_VERSION
from ml_orchestrator.settings import Settings

__all__ = ["UnfinishedRuns"]


class UnfinishedRuns:
    """Those of this data directory, and of its pools if others share the database."""

    def __init__(self, client: DBOSClient, settings: Settings) -> None:
        self._client = client
        self._queues = list(of_pools(QUEUES, settings)) if pools_of(settings) else None

    def all(self) -> list[WorkflowStatus]:
        """Return them, without what they were given."""
        return self._rows(list(UNFINISHED))

    def are_there(self) -> bool:
        """Whether there is any."""
        return bool(self._rows(list(UNFINISHED), limit=1))

    def wait_for_this_release(self) -> bool:
        """Whether one waits that only a worker of this release takes."""
        return bool(self._rows(["ENQUEUED"], limit=1, plans=PLAN_VERSION))

    def _rows(
        self, states: list[str], *, limit: int | None = None, plans: str | None = None
    ) -> list[WorkflowStatus]:
        return self._client.list_workflows(
            name=WORKFLOW,
            status=states,
            queue_name=self._queues,
            app_version=plans,
            limit=limit,
            load_input=False,
            load_output=False,
        )

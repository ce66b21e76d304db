"""The cluster that trials run on: opened on use, and its library too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.training.pools import Cluster

__all__ = ["check_cluster", "open_cluster"]


def check_cluster(address: str) -> None:
    """Return if trials can be sent to the cluster, as far as can be told without asking it.

    Raises:
        InvalidInputError: Ray is not installed here.
    """
    if find_spec("ray") is None:
        raise InvalidInputError(
            f"Trials are to run on Ray ({address}), which is not installed here. Install it: "
            f"{pip_install('ray')}. Or unset "
            "ML_ORCHESTRATOR_RAY_ADDRESS; trials then run one after the other on this machine."
        )


@contextmanager
def open_cluster(
    address: str, *, at_once: int | None = None, plugins: Sequence[str] = ()
) -> Iterator[Cluster]:
    """Give the cluster at ``address`` for a while.

    Args:
        address: ``local`` for one on this machine that ends with the block, ``host:port`` of a
            cluster that this machine is part of, or ``ray://host:port`` of any other.
        at_once: trials at once; None is one for each processor of the cluster.
        plugins: modules that its processes import first.

    Raises:
        InvalidInputError: Ray is not installed here.
        UnavailableError: the cluster cannot be reached, has no free processor, or its machines
            have no or another release of this package.
    """
    check_cluster(address)
    module = import_alone("ml_orchestrator.training._ray")
    with module.open_ray(address, at_once=at_once, plugins=plugins) as cluster:
        yield cluster

"""A model server on the registry of a data directory."""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random

import psutil

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.hearing import hearing_of_moves
from ml_orchestrator.orchestration.rollouts.opening import open_journal
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.names import check_model
from ml_orchestrator.serving.address import (
    Address,
    only_server,
    remove_address,
    write_address,
)
from ml_orchestrator.serving.app import Leaving, Limits, build_app
from ml_orchestrator.serving.engine import Outcome
from ml_orchestrator.serving.follow import Follower
from ml_orchestrator.serving.guard import LOOPBACK, Access
from ml_orchestrator.serving.isolated import in_own_process
from ml_orchestrator.serving.log import LogLimits, ServingLog
from ml_orchestrator.serving.metrics import Metrics
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.server import bind, make_server
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.telemetry.measures import count_predictions

__all__ = ["ServeOptions", "serve_model"]

FOLLOW_S = 10.0


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What to serve and where.

    ``version`` None starts with the one that ``alias`` points to. The alias is followed when
    the server is told, and every ``follow_s`` seconds, ``FOLLOW_S`` if that is None. A version
    without an alias stays.
    """

    model: str
    version: int | None = None
    alias: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    follow_s: float | None = None
    isolate: bool = False
    allow_network: bool = False


def serve_model(
    settings: Settings, options: ServeOptions, *, on_ready: Callable[[str, int, bytes], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    ``on_ready`` is told the address, the first version and a body in JSON that it answers.

    Raises:
        ConflictError: the model has a server in this data directory already.
        IntegrityViolationError: the version is not what was registered.
        InvalidInputError: an option cannot be used.
        NotFoundError: there is no such model, version or alias.
        UnavailableError: the address is taken, or the model cannot be loaded.
    """
    _check(options)
    prepare_home(settings.home)
    with ExitStack() as stack:
        stack.enter_context(only_server(settings.home, options.model))
        opened = _open(stack, settings, options)
        sock = stack.enter_context(bind(options.host, options.port))
        address, leaving = _address(options, sock.getsockname()[1]), Leaving()
        app = build_app(
            opened.slots,
            metrics=opened.metrics,
            access=Access(address.token, None if options.allow_network else LOOPBACK),
            limits=Limits(),
            leaving=leaving,
            look=None if opened.follower is None else opened.follower.look,
        )
        if opened.follower is not None:
            stack.enter_context(opened.follower.looking(options.follow_s or FOLLOW_S))
            look = opened.follower.look
            stack.enter_context(hearing_of_moves(opened.database, options.model, look))
        stack.callback(remove_address, settings.home, address)

        def tell() -> None:
            write_address(settings.home, address)
            on_ready(address.url, opened.first, opened.slots.example())

        make_server(app, leaving=leaving, on_ready=tell).run(sockets=[sock])


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model that answers in this process; ``follower`` is None where it follows no alias."""

    first: int
    slots: ModelSlots
    metrics: Metrics
    follower: Follower | None
    database: Database


def _open(stack: ExitStack, settings: Settings, options: ServeOptions) -> _Opened:
    """Load the first version; ``stack`` closes everything again."""
    database = open_database(settings.state_url, settings.home)
    stack.callback(database.close)
    desk = open_registry(settings, database)
    alias = options.alias or ("champion" if options.version is None else None)
    seen = None if alias is None else desk.store.alias_version(options.model, alias)
    first = options.version or seen
    if first is None:
        raise _unset(desk, options.model, str(alias))
    metrics = Metrics()
    log = _serving_log(stack, settings, options.model)
    slots = _slots(settings, options, desk, metrics, log)
    stack.callback(slots.close)
    slots.start(first)
    follower = None if alias is None else _follower(database, desk, slots, alias, seen)
    return _Opened(first, slots, metrics, follower, database)


def _unset(desk: RegistryDesk, model: str, alias: str) -> NotFoundError:
    """Return the error about an alias that points nowhere; it says what can be served."""
    known = sorted(desk.store.model(model).aliases)
    other = known[0] if known else "NAME"
    often = ", as trainings move it" if other == "challenger" else ""
    return NotFoundError(
        f"No alias {alias!r} on model {model!r}; known: {', '.join(known) or 'none'}. "
        f"--alias {other} serves the version that it points to, and follows when it moves{often}; "
        "--version N stays with one."
    )


def _check(options: ServeOptions) -> None:
    check_model(options.model)
    if options.host not in LOOPBACK and not options.allow_network:
        raise InvalidInputError(
            f"--host {options.host} can be reached from the network, where everybody could ask "
            "for predictions. Say --allow-network if that is meant."
        )
    if options.follow_s is not None and options.version is not None and options.alias is None:
        raise InvalidInputError("--follow follows an alias; with --version, name it by --alias.")
    if options.follow_s is not None and not 0.05 <= options.follow_s <= 86_400:
        raise InvalidInputError("--follow takes between 0.05 and 86,400 seconds.")


def _serving_log(stack: ExitStack, settings: Settings, model: str) -> ServingLog | None:
    """Return the log of what is answered, if one is wanted; ``stack`` writes its last rows."""
    if settings.serving_log_rate <= 0:
        return None
    limits = LogLimits(
        rate=settings.serving_log_rate,
        max_days=settings.serving_log_days,
        max_bytes=settings.serving_log_max_bytes,
    )
    rng = Random(secrets.randbits(64))  # noqa: S311 a sample, no secret
    log = ServingLog(settings.home, model, limits, rng=rng)
    stack.callback(log.close)
    return log


def _slots(
    settings: Settings,
    options: ServeOptions,
    desk: RegistryDesk,
    metrics: Metrics,
    log: ServingLog | None,
) -> ModelSlots:
    checkout = partial(desk.vault.checkout, options.model)
    if options.isolate:
        open_version = in_own_process(checkout, settings, extra_trusted=trusted_types(settings))
    else:
        open_version = in_process(checkout, extra_trusted=trusted_types(settings))
    return ModelSlots(
        options.model,
        open_version,
        seed=secrets.randbits(64),
        generation=int(time.time() * 1e3),
        observe=partial(_observe, options.model, metrics),
        record=None if log is None else log.offer,
    )


def _observe(model: str, metrics: Metrics, version: int, outcome: Outcome, took_s: float) -> None:
    metrics.observe(version, outcome, took_s)
    n_rows = outcome.n_rows
    count_predictions(took_s, model=model, version=version, n_rows=n_rows, code=outcome.status)


def _follower(
    database: Database, desk: RegistryDesk, slots: ModelSlots, alias: str, seen: int | None
) -> Follower:
    return Follower(
        slots,
        lambda: desk.store.alias_version(slots.model, alias),
        seen=seen,
        newest_rollout=partial(open_journal(database).latest, slots.model),
    )


def _address(options: ServeOptions, port: int) -> Address:
    host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host  # noqa: S104
    this = psutil.Process()
    return Address(
        model=options.model,
        url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
        pid=this.pid,
        started_at=this.create_time(),
        token=secrets.token_urlsafe(32),
    )

"""Components: order, isolation, and honesty about what was not probed."""

import pytest

from ml_orchestrator.errors import NotFoundError, UnavailableError
from ml_orchestrator.health.monitors.models import Alert, Monitors, MonitorState, MonitorStatus
from ml_orchestrator.health.status import overall
from ml_orchestrator.services.components import Component, ComponentManager


def failing() -> str:
    raise UnavailableError("The disk is full.")


def defective() -> str:
    raise KeyError("secret")


async def states(*components: Component, open_all: bool = True) -> dict[str, tuple[str, str]]:
    found = await ComponentManager(components).check(open_all=open_all)
    return {c.name: (c.state, c.detail) for c in found}


async def test_what_is_needed_is_probed_first() -> None:
    order: list[str] = []

    def probe(name: str) -> str:
        order.append(name)
        return "ok"

    await states(
        Component("a", 1, lambda: probe("a"), requires=("b",)),
        Component("b", 5, lambda: probe("b"), requires=("c",)),
        Component("c", 6, lambda: probe("c")),
    )

    assert order == ["c", "b", "a"]


async def test_a_failing_component_is_isolated_and_stops_those_that_need_it() -> None:
    found = await states(
        Component("store", 5, failing),
        Component("memory", 2, lambda: "ok", requires=("store",)),
        Component("rights", 6, lambda: "ok"),
    )

    assert found == {
        "store": ("degraded", "The disk is full."),
        "memory": ("stopped", "needs store"),
        "rights": ("started", "ok"),
    }


async def test_a_service_is_as_well_as_what_it_needs() -> None:
    opened = Component("memory", 2, lambda: "ok")
    unused = Component("registry", 1, lambda: "ok", is_open=lambda: False)
    found = await states(
        opened,
        unused,
        Component("broken", 5, failing),
        Component("A", 2, None, requires=("memory",)),
        Component("B", 1, None, requires=("memory", "registry")),
        Component("C", 1, None, requires=("memory", "registry", "broken")),
        open_all=False,
    )

    assert [found[name] for name in "ABC"] == [
        ("started", "works: memory"),
        ("discovered", "not used yet: registry"),
        ("stopped", "needs broken"),
    ]


async def test_how_long_a_probe_took_is_told_and_of_a_service_that_of_its_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("ml_orchestrator.services.components.time.perf_counter", lambda: now[0])

    def takes(seconds: float) -> str:
        now[0] += seconds
        return "ok"

    manager = ComponentManager(
        [
            Component("store", 5, lambda: takes(0.25)),
            Component("memory", 2, lambda: takes(0.5), requires=("store",)),
            Component("unused", 1, lambda: takes(9.0), is_open=lambda: False),
            Component("Service", 2, None, requires=("store", "memory"), kind="service"),
            Component("Idle", 2, None, requires=("store", "unused"), kind="service"),
        ]
    )
    found = {c.name: c.probe_ms for c in await manager.check(open_all=False)}

    assert found == {
        "store": 250.0, "memory": 500.0, "unused": None, "Service": 750.0, "Idle": None
    }  # fmt: skip


async def test_a_defect_in_a_probe_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    found = await states(Component("odd", 1, defective))

    assert found["odd"][0] == "degraded"
    assert "secret" not in found["odd"][1]
    assert "secret" in caplog.text


async def test_what_was_not_probed_is_unknown_and_never_healthy() -> None:
    unused = Component("unused", 1, lambda: "ok", is_open=lambda: False)
    manager = ComponentManager([unused])

    assert overall(await manager.check(open_all=False)) == "unknown"
    assert overall(await manager.check(open_all=True)) == "healthy"


@pytest.mark.parametrize(
    ("state", "has_alert", "status"),
    [
        ("healthy", False, "healthy"),
        ("waiting", False, "healthy"),
        ("no_data", False, "unknown"),
        ("alerting", True, "degraded"),
    ],
)
async def test_a_monitor_that_alerts_or_lacks_data_is_not_healthy(
    state: MonitorState, has_alert: bool, status: str
) -> None:
    components = await ComponentManager([Component("one", 1, lambda: "ok")]).check(open_all=True)
    alert = Alert(alert_id="a", monitor="m", kind="finding", summary="drift", opened_at="now")
    monitor = MonitorStatus(
        name="m",
        owner="ann",
        watch="now.csv",
        state=state,
        is_paused=False,
        schedule="every hour",
        next_look_at=None,
        n_looks=1,
        last_look=None,
        open_alert=None,
    )
    found = Monitors(monitors=(monitor,), open_alerts=(alert,) if has_alert else ())
    assert overall(components, (), found) == status


async def test_what_failed_when_it_was_wanted_is_degraded_and_not_called_unused() -> None:
    unused = Component("unused", 1, lambda: "ok", is_open=lambda: False)
    found = []
    for _ in range(4):
        found.append(await states(unused, open_all=False))
        unused.breaker.failed("The disk is full.")

    last = "the last: The disk is full."
    assert [each["unused"] for each in found] == [
        ("discovered", "not used yet; detail=detailed probes it"),
        ("degraded", f"failed once when it was wanted; {last}"),
        ("degraded", f"failed 2 times in a row when it was wanted; {last}"),
        ("degraded", f"left alone after 3 failures in a row, tried again in 1 s; {last}"),
    ]


async def test_a_component_that_recovered_is_started_again() -> None:
    broken = [True]
    manager = ComponentManager([Component("flaky", 5, lambda: failing() if broken[0] else "ok")])

    assert overall(await manager.check(open_all=True)) == "degraded"
    broken[0] = False
    assert overall(await manager.check(open_all=True)) == "healthy"


def test_an_unknown_requirement_is_named() -> None:
    with pytest.raises(NotFoundError, match=r"'a' requires 'ghost'"):
        ComponentManager([Component("a", 1, lambda: "ok", requires=("ghost",))])

"""When telemetry is on, and what of it a child process may know."""

import doctest
from pathlib import Path
from types import ModuleType

import pytest

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry import prometheus, switch
from ml_orchestrator.telemetry.prometheus import Histogram, sample
from ml_orchestrator.telemetry.switch import read_switch

HERE = "http://localhost:4318"


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{HERE}/v1/traces"}, True, False),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "none"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "TRUE"}, False, False),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "x=y", "OTEL_SERVICE_NAME": "a"}, False, False),
    ],
)
def test_the_standard_variables_switch_each_signal(
    environ: dict[str, str], traces: bool, metrics: bool
) -> None:
    found = read_switch(environ)
    assert (found.traces, found.metrics, found.faults) == (traces, metrics, ())


def test_what_is_asked_for_and_not_done_is_said() -> None:
    found = read_switch(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": HERE,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp,console",
        }
    )
    assert (found.traces, found.metrics) == (False, True)
    assert ["console" in fault or "grpc" in fault for fault in found.faults] == [True, True]


def test_a_child_is_told_of_a_collector_and_its_login_only_if_one_is_used(tmp_path: Path) -> None:
    settings = Settings.read({}, project_dir=tmp_path)
    login = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret", "OTEL_PYTHON_CONTEXT": "odd"}
    on = {**login, "OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "HTTPS_PROXY": "http://proxy.test"}

    assert "secret" not in str(child_environment(settings, login))
    seen = child_environment(settings, on)
    assert seen["OTEL_EXPORTER_OTLP_HEADERS"] == "api-key=secret"
    assert seen["HTTPS_PROXY"] == "http://proxy.test"
    assert "OTEL_PYTHON_CONTEXT" not in seen  # it would name code to load
    assert "secret" not in str(child_environment(settings, {**on, "OTEL_SDK_DISABLED": "true"}))


def test_a_histogram_counts_up_to_each_bound_and_escapes_labels() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value, (("name", 'a"b\n'),))
    label = r'name="a\"b\n"'
    assert list(histogram.lines("took", "How long."))[2:] == [
        f'took_bucket{{{label},le="1.0"}} 2',
        f'took_bucket{{{label},le="2.0"}} 3',
        f'took_bucket{{{label},le="+Inf"}} 4',
        f"took_sum{{{label}}} 12.0",
        f"took_count{{{label}}} 4",
    ]
    assert sample("up", {}, 1) == "up 1"


@pytest.mark.parametrize("module", [switch, prometheus])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    ran = doctest.testmod(module)
    assert (ran.failed, ran.attempted > 0) == (0, True)

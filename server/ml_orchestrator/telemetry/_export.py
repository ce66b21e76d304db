"""Sending by the OpenTelemetry SDK, as OTLP over HTTP; loaded only where it is switched on."""

import logging
import os
import uuid
from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ml_orchestrator import __version__
from ml_orchestrator.telemetry.switch import Switch

__all__ = ["begin"]

NAMESPACE = "ml-orchestrator"


def begin(switch: Switch, process: str) -> Callable[[], None]:
    """Set up what is switched on for this whole process; return what sends the rest and ends it.

    Endpoint, headers, limits, sampling and intervals come from the standard variables.
    """
    logging.getLogger("opentelemetry").setLevel(logging.WARNING)
    resource = _resource(process)
    ends: list[Callable[[], None]] = []
    if switch.traces:
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(tracing)
        ends.append(tracing.shutdown)
    if switch.metrics:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(metering)
        ends.append(metering.shutdown)

    def end() -> None:
        for shut_down in ends:
            shut_down()

    return end


def _resource(process: str) -> Resource:
    """Return what describes this process; what the standard variables say goes before ours."""
    ours: dict[str, str | int] = {
        "service.namespace": NAMESPACE,
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "process.pid": os.getpid(),
    }
    theirs = OTELResourceDetector().detect().attributes
    if not theirs.get("service.name"):
        ours["service.name"] = f"{NAMESPACE}-{process}"
    return Resource.create({**ours, **{name: value for name, value in theirs.items() if value}})

"""Whether this process sends telemetry: the standard variables of OpenTelemetry, read once.

They mean what its specification says, but for one default: without a variable that names an
exporter or an endpoint nothing is sent, rather than to a collector that nobody set up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Switch", "read_switch"]

PROTOCOL = "http/protobuf"
_OTLP = "OTEL_EXPORTER_OTLP_"


@dataclass(frozen=True, slots=True)
class Switch:
    """Which signals are sent; ``faults`` is what was asked for and is not done, and why."""

    traces: bool = False
    metrics: bool = False
    faults: tuple[str, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether anything is sent."""
        return self.traces or self.metrics


def read_switch(environ: Mapping[str, str]) -> Switch:
    """Return what the environment asks for.

    Example:
        >>> read_switch({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}).is_on
        True
        >>> read_switch({"OTEL_TRACES_EXPORTER": "otlp"}).metrics
        False
        >>> read_switch({}).is_on
        False
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Switch()
    faults: list[str] = []
    traces = _is_sent("TRACES", environ, faults)
    metrics = _is_sent("METRICS", environ, faults)
    return Switch(traces, metrics, tuple(faults))


def _is_sent(signal: str, environ: Mapping[str, str], faults: list[str]) -> bool:
    wanted = {part.strip() for part in environ.get(f"OTEL_{signal}_EXPORTER", "").split(",")}
    wanted.discard("")
    has_endpoint = environ.get(f"{_OTLP}ENDPOINT") or environ.get(f"{_OTLP}{signal}_ENDPOINT")
    if other := sorted(wanted - {"otlp", "none"}):
        faults.append(
            f"OTEL_{signal}_EXPORTER asks for {', '.join(other)}; otlp and none are known here "
            "(standard output is the protocol's, and /metrics needs no exporter)."
        )
    if "otlp" not in wanted and (wanted or not has_endpoint):
        return False
    protocol = environ.get(f"{_OTLP}{signal}_PROTOCOL") or environ.get(f"{_OTLP}PROTOCOL")
    if protocol and protocol != PROTOCOL:
        faults.append(
            f"{_OTLP}PROTOCOL asks for {protocol}; {PROTOCOL} is the one that is spoken here. "
            f"Set {_OTLP}{signal}_PROTOCOL={PROTOCOL} and an endpoint that takes it (port 4318)."
        )
        return False
    return True

"""Streams of numbers watched value by value; needs the extra ``streams``."""

from ml_orchestrator.health.streams.contract import Change, DetectorName, StreamDetector
from ml_orchestrator.health.streams.opening import open_detector, restore_detector

__all__ = ["Change", "DetectorName", "StreamDetector", "open_detector", "restore_detector"]

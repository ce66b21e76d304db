"""Detectors by name, and from a state that was kept; the library is loaded on first use."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.health.streams.contract import DetectorName, StreamDetector

__all__ = ["open_detector", "restore_detector"]

_ADAPTER = "ml_orchestrator.health.streams._river"


def open_detector(name: DetectorName, **options: float) -> StreamDetector:
    """Return a detector that has seen nothing.

    ``adwin``: a change of the mean of values from 0 to 1, with a bound on false alarms
    (``delta``). ``page_hinkley``: a change of the mean, by a cumulative sum (``threshold``,
    ``delta``, ``min_instances``). ``kswin``: any change of distribution between the last 30 and
    70 values before (``alpha``, ``window_size``, ``stat_size``, ``seed``). ``ddm``: a rise of the
    rate of errors, which are 1, others 0 (``warm_start``, ``warning_threshold``,
    ``drift_threshold``). ``since`` of a change is coarse with adwin, whose window is cut back in
    ever larger pieces, the more it has read.

    Args:
        name: which.
        options: as river names them; its defaults hold for others.

    Raises:
        NotFoundError: no such detector.
        InvalidInputError: it has no such option.
        UnavailableError: the extra ``streams`` is not installed.

    References:
        A. Bifet, R. Gavaldà, "Learning from time-changing data with adaptive windowing", SDM
        (2007). E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954). C. Raab, M.
        Heusinger, F.-M. Schleif, "Reactive soft prototype computing for concept drift streams",
        Neurocomputing (2020). J. Gama, P. Medas, G. Castillo, P. Rodrigues, "Learning with drift
        detection", SBIA (2004).
    """
    detector: StreamDetector = _adapter().opened(name, options)
    return detector


def restore_detector(state: Mapping[str, Any]) -> StreamDetector:
    """Return the detector that `StreamDetector.state` was taken from; no code of a state is run.

    Raises:
        IntegrityViolationError: the state is damaged.
        UnavailableError: another version of river made it, or the extra is not installed.
    """
    detector: StreamDetector = _adapter().restored(state)
    return detector


def _adapter() -> ModuleType:
    try:
        return import_alone(_ADAPTER)
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"Detectors of streams need {error.name}, which is not installed. Install it: "
            f"{pip_install('streams')}."
        ) from error

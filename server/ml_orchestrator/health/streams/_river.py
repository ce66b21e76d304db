"""Detectors by ``river``; the one module that imports it.

Their state is read from and written to attributes that river keeps for itself, so its minor
version is pinned; a test stores and restores every detector between any two values.
"""

import base64
import hashlib
import json
import math
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeAlias

from river import drift
from river.drift.binary import DDM
from river.stats import Mean

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from ml_orchestrator.health.streams.contract import Change

__all__ = ["RiverDetector", "opened", "restored"]

River: TypeAlias = Any
Options: TypeAlias = Mapping[str, float]
State: TypeAlias = dict[str, Any]


class _Kind(ABC):
    """How one kind of detector is built, dated, stored and restored."""

    def __init__(self, build: Callable[..., River], numbers: tuple[str, ...], mean: str) -> None:
        self.build = build
        self._numbers = numbers
        self._mean = mean

    def check(self, value: float) -> None:  # noqa: B027 most take every number
        """Raise InvalidInputError for a value that it does not take."""

    def marked(self, river: River, at: int, marks: State) -> State:
        """Return what to remember for the dating of a later change."""
        return marks

    @abstractmethod
    def since(self, river: River, at: int, marks: State) -> int:
        """Return from which value the change that was just noticed probably holds."""

    def stored(self, river: River) -> State:
        """Return what the detector knows, as JSON."""
        found: State = {name: _plain(getattr(river, name)) for name in self._numbers}
        if self._mean:
            mean = getattr(river, self._mean)
            found[self._mean] = [mean.n, mean.get()]
        return found

    def put_back(self, river: River, state: State) -> None:
        """Make a new detector know what `stored` returned."""
        for name in self._numbers:
            setattr(river, name, _unplain(state[name]))
        if self._mean:
            setattr(river, self._mean, Mean._from_state(*state[self._mean]))


class _Adwin(_Kind):
    def since(self, river: River, at: int, marks: State) -> int:
        return int(at - river.width + 1)  # the window was cut back to what is new

    def stored(self, river: River) -> State:
        state = base64.b64encode(river._helper.__getstate__()).decode()
        return {**super().stored(river), "_helper": state}

    def put_back(self, river: River, state: State) -> None:
        super().put_back(river, state)
        river._helper.__setstate__(base64.b64decode(state["_helper"]))


class _PageHinkley(_Kind):
    def marked(self, river: River, at: int, marks: State) -> State:
        rose, fell = marks.get("rose", 0), marks.get("fell", 0)
        if river._sum_increase <= river._min_increase:
            rose = at + 1
        if river._sum_decrease >= river._max_decrease:
            fell = at + 1
        return {"rose": rose, "fell": fell}

    def since(self, river: River, at: int, marks: State) -> int:
        is_rise = river._sum_increase - river._min_increase > river.threshold
        return min(at, int(marks["rose"] if is_rise else marks["fell"]))


class _Kswin(_Kind):
    def since(self, river: River, at: int, marks: State) -> int:
        return int(at - river.stat_size + 1)

    def stored(self, river: River) -> State:
        kind, numbers, gauss = river._rng.getstate()
        window = [float(value) for value in river.window]
        return {**super().stored(river), "window": window, "rng": [kind, list(numbers), gauss]}

    def put_back(self, river: River, state: State) -> None:
        super().put_back(river, state)
        river.window = deque(state["window"], maxlen=river.window_size)
        kind, numbers, gauss = state["rng"]
        river._rng = random.Random()  # noqa: S311 draws values to compare, no secret
        river._rng.setstate((kind, tuple(numbers), gauss))


class _Ddm(_Kind):
    def check(self, value: float) -> None:
        if value not in (0, 1):
            raise InvalidInputError(f"ddm takes 1 for an error and else 0; found {value:g}.")

    def marked(self, river: River, at: int, marks: State) -> State:
        if not (river.warning_detected or river.drift_detected):
            return {}
        return {"warned": marks.get("warned", at)}

    def since(self, river: River, at: int, marks: State) -> int:
        return int(marks["warned"])


_KINDS: Mapping[str, _Kind] = {
    "adwin": _Adwin(drift.ADWIN, ("_drift_detected",), ""),
    "page_hinkley": _PageHinkley(
        drift.PageHinkley,
        (
            "_drift_detected",
            "_sum_increase",
            "_sum_decrease",
            "_min_increase",
            "_max_decrease",
        ),
        "_x_mean",
    ),
    "kswin": _Kswin(lambda **o: drift.KSWIN(**{"seed": 0, **o}), ("_drift_detected", "n"), ""),
    "ddm": _Ddm(DDM, ("_drift_detected", "_warning_detected", "_p_min", "_s_min", "_ps_min"), "_p"),
}


class RiverDetector:
    """A ``StreamDetector`` on one of river's."""

    def __init__(self, name: str, options: Options) -> None:
        if name not in _KINDS:
            raise NotFoundError(f"No detector named {name!r}; known: {', '.join(_KINDS)}.")
        self._name, self._options = name, dict(options)
        self._kind = _KINDS[name]
        try:
            self._river = self._kind.build(**options)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"Detector {name} cannot be opened so: {error}.") from error
        self.n_seen = 0
        self._marks: State = {}

    def update(self, value: float) -> Change | None:
        """Take the next value; return a change if it is noticed at this value."""
        if not math.isfinite(value):
            raise InvalidInputError(f"A stream holds finite numbers; found {value}.")
        self._kind.check(value)
        at = self.n_seen
        self._river.update(value)
        self.n_seen += 1
        self._marks = self._kind.marked(self._river, at, self._marks)
        if not self._river.drift_detected:
            return None
        since = self._kind.since(self._river, at, self._marks)
        self._marks = {}
        return Change(seen=at, since=max(0, since))

    def state(self) -> Mapping[str, Any]:
        """Return all that it knows, as JSON."""
        state = {
            "detector": self._name,
            "options": self._options,
            "river": version("river"),
            "n_seen": self.n_seen,
            "marks": self._marks,
            "knows": self._kind.stored(self._river),
        }
        return {**state, "digest": _digest(state)}

    def go_on_from(self, state: Mapping[str, Any]) -> None:
        """Make a detector that has seen nothing know what `state` returned."""
        self._kind.put_back(self._river, state["knows"])
        self.n_seen, self._marks = state["n_seen"], dict(state["marks"])


def opened(name: str, options: Options) -> RiverDetector:
    """Return a detector that has seen nothing."""
    return RiverDetector(name, options)


def restored(state: Mapping[str, Any]) -> RiverDetector:
    """Return the detector that a state was taken from."""
    content = {name: value for name, value in state.items() if name != "digest"}
    if state.get("digest") != _digest(content):
        raise IntegrityViolationError(
            "The state of a detector is damaged: it is not what was written. Open a new one."
        )
    if content["river"] != version("river"):
        raise UnavailableError(
            f"The state of a detector is of river {content['river']}; installed is "
            f"{version('river')}. Install that version, or open a new detector."
        )
    detector = RiverDetector(content["detector"], content["options"])
    detector.go_on_from(content)
    return detector


def _digest(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return a number or flag as strict JSON takes it: infinities as text."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _unplain(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value

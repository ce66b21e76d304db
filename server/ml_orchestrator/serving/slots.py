"""Two slots behind one pointer: the truth about which version of a model answers."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from ml_orchestrator.errors import ConflictError, InvalidInputError, UnavailableError
from ml_orchestrator.serving.control import LoadedSlot, ServingState, SlotStats, Traffic
from ml_orchestrator.serving.engine import Outcome, Request, ask
from ml_orchestrator.serving.refusals import refusal
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slot import AskChances, Opened, Slot

__all__ = ["ModelSlots", "Record"]

Record = Callable[[int, Sequence[Column], Request, Outcome, AskChances], None]

MAX_SHADOWS = 32
SINGLE = Traffic()


@dataclass(frozen=True, slots=True)
class _View:
    """The pointer: replaced as a whole, so a request sees one world or the other."""

    generation: int
    blue: Slot | None = None
    green: Slot | None = None
    traffic: Traffic = SINGLE


class ModelSlots:
    """``ServingControl`` of a model in this process, and the way in for its requests.

    Thread-safe. Requests read the pointer without a lock; changes are made one at a time.

    Args of the constructor:
        model: Name of the registered model.
        open_version: Verifies, loads and warms a version; raises what ``load_green`` raises.
        seed: Of the draws that share traffic and sample predictions.
        generation: The first one; a server passes the time, so that no earlier one recurs.
        drain_s: How long a slot that is let go may finish its requests, in seconds.
        observe: Called with each answer: version, outcome, seconds.
        record: Called with each answer once it was given: version, its columns, request, outcome,
            and what asks it for chances, which waits and may be called later; not with those of a
            shadow. It must not raise or wait.
    """

    def __init__(
        self,
        model: str,
        open_version: Callable[[int], Opened],
        *,
        seed: int = 0,
        generation: int = 0,
        drain_s: float = 30.0,
        observe: Callable[[int, Outcome, float], None] | None = None,
        record: Record | None = None,
    ) -> None:
        self.model = model
        self.n_swaps = 0
        self.last_flip_s = 0.0
        self.n_shadows_dropped: Counter[int] = Counter()
        self._open_version = open_version
        self._drain_s = drain_s
        self._observe = observe
        self._record = record
        self._rng = Random(seed)  # noqa: S311 shares and samples, no secrets
        self._view = _View(generation)
        self._changing = threading.RLock()
        self._done: tuple[object, ...] = ()
        self._is_closed = False

    # What answers ------------------------------------------------------------------------

    def submit(self, request: Request, done: Callable[[Outcome], None]) -> None:
        """Hand a request to the version whose turn it is; ``done`` is called in a thread."""
        while True:
            view = self._view
            slot = self._turn(view)
            if slot is None:
                done(refusal(503, f"No version of {self.model!r} is loaded."))
                return
            if slot.submit(
                request,
                lambda s, outcome, took_s: self._answered(s, request, outcome, took_s, done),
            ):
                break  # else it was let go since we looked: look again
        if view.traffic.mode == "shadow" and view.green is not None:
            self._shadow(view.green, request, view.traffic.green_share)

    def answer(self, request: Request, *, timeout_s: float = 30.0) -> Outcome:
        """Answer a request and wait for it."""
        return ask(self, request, timeout_s=timeout_s)

    def fault(self) -> str | None:
        """Return why requests cannot be answered now; None if they can."""
        blue = self._view.blue
        if blue is None or self._is_closed:
            return f"No version of {self.model!r} is loaded."
        return blue.opened.engine.fault()

    def _turn(self, view: _View) -> Slot | None:
        if view.traffic.mode == "canary" and self._rng.random() < view.traffic.green_share:
            return view.green
        return view.blue

    def _answered(
        self,
        slot: Slot,
        request: Request,
        outcome: Outcome,
        took_s: float,
        done: Callable[[Outcome], None],
    ) -> None:
        if self._observe is not None:
            self._observe(slot.version, outcome, took_s)
        done(outcome)
        if self._record is not None:
            self._record(slot.version, slot.opened.columns, request, outcome, slot.chances)

    def _shadow(self, green: Slot, request: Request, share: float) -> None:
        if self._rng.random() >= share:
            return
        if green.in_flight >= MAX_SHADOWS:
            self.n_shadows_dropped[green.version] += 1
            return
        green.submit(request, lambda *_: None)

    # ServingControl ----------------------------------------------------------------------

    def state(self) -> ServingState:
        """Return what is loaded and who answers."""
        return _state(self.model, self._view)

    def load_green(self, version: int) -> LoadedSlot:
        """Load ``version`` beside the blue one; a green one without traffic makes room.

        Raises:
            ConflictError: another green version has traffic.
            IntegrityViolationError: it is not what was registered, or unsafe to load.
            NotFoundError: there is no such version.
            UnavailableError: it could not be loaded or could not answer.
        """
        with self._changing:
            self._check_open()
            green = self._view.green
            if green is not None and green.version == version:
                return _loaded(green, self._view)
            if green is not None and self._view.traffic.mode != "single":
                raise ConflictError(
                    f"Green version {green.version} has traffic; make it single before another "
                    f"version, {version}, takes its place."
                )
            slot = self._opened(version)
            self._change(("load", version), green=slot)
            if green is not None:
                green.close(wait_s=self._drain_s)
            return _loaded(slot, self._view)

    def set_traffic(self, traffic: Traffic, *, expected_generation: int) -> ServingState:
        """Change who answers, between two requests."""
        change = ("traffic", traffic, expected_generation)
        with self._changing:
            if not self._is_repeated(change):
                self._expect(expected_generation)
                if traffic.mode != "single":
                    self._green()
                self._change(change, traffic=traffic)
            return self.state()

    def swap(self, *, expected_generation: int) -> ServingState:
        """Make green blue and blue green, traffic single; the old version stays loaded."""
        change = ("swap", expected_generation)
        with self._changing:
            if not self._is_repeated(change):
                self._expect(expected_generation)
                green = self._green()
                began = time.perf_counter()
                self._change(change, blue=green, green=self._view.blue, traffic=SINGLE)
                self.last_flip_s = time.perf_counter() - began
                self.n_swaps += 1
            return self.state()

    def unload_green(self, *, expected_generation: int) -> ServingState:
        """Let green go once its last request is answered; blue answers everything."""
        change = ("unload", expected_generation)
        with self._changing:
            if not self._is_repeated(change):
                self._expect(expected_generation)
                green = self._view.green
                self._change(change, green=None, traffic=SINGLE)
                if green is not None:
                    green.close(wait_s=self._drain_s)
            return self.state()

    def retire(self, *, expected_generation: int) -> ServingState:
        """Let blue go once its last request is answered; nothing answers until a swap."""
        change = ("retire", expected_generation)
        with self._changing:
            if not self._is_repeated(change):
                self._expect(expected_generation)
                blue = self._view.blue
                self._change(change, blue=None, traffic=SINGLE)
                if blue is not None:
                    blue.close(wait_s=self._drain_s)
            return self.state()

    def chances_late(self) -> dict[int, int]:
        """Return how often each loaded version took too long for the chances of a request."""
        view = self._view
        return {slot.version: slot.n_late for slot in (view.blue, view.green) if slot is not None}

    def stats(self, *, window_s: float) -> tuple[SlotStats, ...]:
        """Return what each loaded version answered lately, blue first."""
        view = self._view
        return tuple(slot.stats(window_s) for slot in (view.blue, view.green) if slot is not None)

    # The server's own --------------------------------------------------------------------

    def start(self, version: int) -> LoadedSlot:
        """Load the first version as blue."""
        with self._changing:
            self._check_open()
            slot = self._opened(version)
            self._change(("start", version), blue=slot)
            return _loaded(slot, self._view)

    def example(self) -> bytes:
        """Return a body in JSON that the first version answers; empty if none is known."""
        blue = self._view.blue
        return b"" if blue is None else blue.opened.example

    def close(self) -> None:
        """Finish what is in flight and let both versions go."""
        with self._changing:
            self._is_closed = True
            view = self._view
            self._view = _View(view.generation + 1)
            for slot in (view.blue, view.green):
                if slot is not None:
                    slot.close(wait_s=self._drain_s)

    def _opened(self, version: int) -> Slot:
        seed = self._rng.random()
        return Slot(version, self._open_version(version), Random(seed))  # noqa: S311

    def _change(self, change: tuple[object, ...], **new: object) -> None:
        view = self._view
        self._view = replace(view, generation=view.generation + 1, **new)  # type: ignore[arg-type]
        self._done = change

    def _is_repeated(self, change: tuple[object, ...]) -> bool:
        """Whether this very change was the last one: its caller asks again."""
        self._check_open()
        return self._done == change

    def _expect(self, generation: int) -> None:
        actual = self._view.generation
        if generation != actual:
            raise ConflictError(
                f"The server of {self.model!r} is at generation {actual}, not {generation}. "
                "Look at its state again, then retry."
            )

    def _green(self) -> Slot:
        green = self._view.green
        if green is None:
            raise InvalidInputError(
                f"No green version of {self.model!r} is loaded; load one before it gets traffic."
            )
        return green

    def _check_open(self) -> None:
        if self._is_closed:
            raise UnavailableError(f"The server of {self.model!r} is shutting down.")


def _state(model: str, view: _View) -> ServingState:
    return ServingState(
        model=model,
        generation=view.generation,
        blue=view.blue and view.blue.version,
        green=view.green and view.green.version,
        traffic=view.traffic,
    )


def _loaded(slot: Slot, view: _View) -> LoadedSlot:
    return LoadedSlot(
        version=slot.version,
        load_ms=slot.opened.load_ms,
        warm_ms=slot.opened.warm_ms,
        generation=view.generation,
    )

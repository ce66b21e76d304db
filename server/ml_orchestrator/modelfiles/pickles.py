"""Pickles, where an operator allows them: every opcode is looked at before any is carried out.

A pickle is a program. This reads it without running it, refuses each step that is not on the
list, and then lets a restricted unpickler run the very same bytes with the very same list.
"""

import io
import pickle
import pickletools
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.modelfiles.archive import DAMAGE
from ml_orchestrator.modelfiles.pickle_names import (
    CALLABLES,
    CLASSES,
    NAMES,
    canonical_name,
    resolve,
)

__all__ = ["check_pickle", "load_pickle", "scan_pickle"]

MAX_BYTES = 500_000_000
MAX_OPCODES = 2_000_000
MAX_NODES = 5_000_000
MAX_DEPTH = 1_000
MAX_INT_BITS = 4_096
MAX_PROTOCOL = 5
_TEXTS = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_FILLS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
_VALUES = frozenset(
    {
        "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1",
        "FLOAT", "BINFLOAT", "SHORT_BINBYTES", "BINBYTES", "BYTEARRAY8",
        "LIST", "EMPTY_LIST", "DICT", "EMPTY_DICT", "EMPTY_SET", "FROZENSET",
        "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    }
)  # fmt: skip
_NAMED = frozenset({"GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ"})
_FRAMING = frozenset({"PROTO", "FRAME", "MARK", "MEMOIZE", "STOP"})
# What Python 3 writes of a model; each other opcode, an unknown one included, is refused.
_FOLLOWED = _TEXTS | _PUTS | _GETS | _FILLS | _VALUES | _NAMED | _FRAMING
_FAULTS = (*DAMAGE, struct.error, pickle.UnpicklingError, ArithmeticError)


@dataclass(eq=False, slots=True)
class _Thing:
    """What lies on the stack: a text, a name, or something built of other things."""

    text: str | None = None
    name: str | None = None
    is_empty_tuple: bool = False
    parts: list["_Thing"] = field(default_factory=list)


_MARK = _Thing()


class _Machine:
    """Follows a pickle's stack and memo without building anything."""

    def __init__(self) -> None:
        self.stack: list[_Thing] = []
        self._memo: dict[int, _Thing] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Carry one opcode out, or refuse it."""
        name = opcode.name
        if name not in _FOLLOWED:
            raise _refused(f"uses {name}")
        if name == "PROTO" and argument > MAX_PROTOCOL:
            raise _refused(f"is of protocol {argument}")
        if isinstance(argument, int) and argument.bit_length() > MAX_INT_BITS:
            raise _refused("holds an endless number")
        if name in _PUTS:
            self._memo[int(argument)] = self._top()
        elif name in _GETS:
            self.stack.append(self._memo[int(argument)])
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        else:
            self._build(opcode, argument)

    def _build(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        below, above = self._take(opcode)
        name = opcode.name
        if name == "MARK":
            self.stack.append(_MARK)
        elif name in _TEXTS:
            self.stack.append(_Thing(text=argument))
        elif name == "GLOBAL":
            self.stack.append(_named(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            self.stack.append(_named_by(*below))
        elif name in _FILLS:
            self.stack.append(_filled(below, above))
        elif name in ("REDUCE", "NEWOBJ"):
            self.stack.append(_made(name, *below))
        elif opcode.stack_after:
            is_empty = name == "EMPTY_TUPLE" or (name == "TUPLE" and not above)
            self.stack.append(_Thing(is_empty_tuple=is_empty, parts=below + above))

    def _take(self, opcode: pickletools.OpcodeInfo) -> tuple[list[_Thing], list[_Thing]]:
        """Pop what ``opcode`` consumes: below the topmost mark, and above it."""
        before = list(opcode.stack_before)
        above: list[_Thing] = []
        if pickletools.markobject in before:
            while self.stack[-1] is not _MARK:
                above.append(self.stack.pop())
            self.stack.pop()
            n_below = before.index(pickletools.markobject)
        else:
            n_below = len(before)
        if n_below > len(self.stack):
            raise _refused("takes more than there is")
        below = [self.stack.pop() for _ in range(n_below)][::-1]
        if _MARK in below:
            raise _refused("takes a mark for a value")
        return below, above[::-1]

    def _top(self) -> _Thing:
        if not self.stack or self.stack[-1] is _MARK:
            raise _refused("takes more than there is")
        return self.stack[-1]


def scan_pickle(content: bytes) -> str:
    """Read a pickle without running it, and return what it holds.

    Raises:
        IntegrityViolationError: a step, a name, a size or a trailing byte is not allowed.
    """
    if len(content) > MAX_BYTES:
        raise _refused(f"has {len(content)} bytes, at most {MAX_BYTES} are read")
    machine = _Machine()
    n_opcodes = end = 0
    try:
        for opcode, argument, position in pickletools.genops(content):
            n_opcodes += 1
            if n_opcodes > MAX_OPCODES:
                raise _refused(f"has more than {MAX_OPCODES} opcodes")
            if opcode.name == "STOP":
                end = (position or 0) + 1
                break
            machine.step(opcode, argument)
    except _FAULTS as error:
        raise _refused(f"is damaged ({type(error).__name__})") from error
    if len(machine.stack) != 1 or machine.stack[0] is _MARK:
        raise _refused("does not end with one object")
    if end != len(content):
        raise _refused(f"is followed by {len(content) - end} more bytes")
    nodes = _expanded(machine.stack[0])
    return f"{n_opcodes} opcodes, {nodes} objects, every name on our list"


def check_pickle(path: Path) -> str:
    """``scan_pickle`` for a file."""
    return scan_pickle(_read(path))


def load_pickle(path: Path) -> Any:
    """Return what the pickle in ``path`` holds: the bytes that were scanned, read once.

    Raises:
        IntegrityViolationError: the scan refused it, or the file asks for more when it is run.
    """
    content = _read(path)
    scan_pickle(content)
    try:
        return _Restricted(io.BytesIO(content)).load()
    except _FAULTS as error:
        raise _refused(f"is damaged ({type(error).__name__})") from error


class _Restricted(pickle.Unpickler):
    """An unpickler that knows the names on our list and no others."""

    def find_class(self, module: str, name: str, /) -> Any:
        return resolve(module, name)

    def persistent_load(self, pid: Any, /) -> Any:
        raise _refused("refers to something outside")


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise _refused(f"has {path.stat().st_size} bytes, at most {MAX_BYTES} are read")
    return path.read_bytes()


def _named(module: str, name: str) -> _Thing:
    full = canonical_name(module, name)
    if full not in NAMES:
        raise _refused(f"names {full.replace(' ', '.')[:200]!r}")
    return _Thing(name=full)


def _named_by(module: _Thing, name: _Thing) -> _Thing:
    if module.text is None or name.text is None:
        raise _refused("computes a name")
    return _named(module.text, name.text)


def _made(how: str, kind: _Thing, arguments: _Thing) -> _Thing:
    if how == "REDUCE" and kind.name not in CALLABLES:
        raise _refused(f"calls {(kind.name or 'an object').replace(' ', '.')!r}")
    if how == "NEWOBJ" and (kind.name not in CLASSES or not arguments.is_empty_tuple):
        raise _refused(f"makes {(kind.name or 'an object').replace(' ', '.')!r} its own way")
    return _Thing(parts=[arguments])


def _filled(below: list[_Thing], above: list[_Thing]) -> _Thing:
    target, *content = below
    if target.name is not None or target.text is not None:
        raise _refused("changes something that it did not make")
    target.parts += content + above
    return target


def _expanded(root: _Thing) -> int:
    """Count objects as a walk would that follows each reference, hence twice what occurs twice."""
    counts: dict[int, int] = {}
    open_ids: set[int] = set()
    pending = [(root, False)]
    while pending:
        thing, is_done = pending.pop()
        key = id(thing)
        if is_done:
            open_ids.discard(key)
            counts[key] = 1 + sum(counts[id(part)] for part in thing.parts)
            if counts[key] > MAX_NODES:
                raise _refused(f"would count more than {MAX_NODES} objects when unfolded")
        elif key in open_ids:
            raise _refused("holds something that contains itself")
        elif key not in counts:
            open_ids.add(key)
            if len(open_ids) > MAX_DEPTH:
                raise _refused(f"is nested deeper than {MAX_DEPTH} levels")
            pending.append((thing, True))
            pending += [(part, False) for part in thing.parts if id(part) not in counts]
    return counts[id(root)]


def _refused(why: str) -> IntegrityViolationError:
    return IntegrityViolationError(f"The pickle {why}; it was not loaded.")

"""Conditions of steps: a small language of comparisons that is parsed, never run as code.

    or-expression   = and { "or" and }
    and             = not { "and" not }
    not             = "not" not | comparison
    comparison      = value [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in") value ]
    value           = number | 'text' | "text" | true | false | null | reference
                      | "[" [ value { "," value } ] "]" | "(" or-expression ")"

``<`` and its kin compare two numbers or two texts; a comparison with null is false.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.references import Reference, Scope

__all__ = ["Condition", "parse_condition"]

MAX_CHARS = 1_000
MAX_DEPTH = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<reference>\$\{[^{}]*\})"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<word>[A-Za-z_]+)"
    r"|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,))"
)
_WORDS = {"true": True, "false": False, "null": None}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = {"==", "!=", *_ORDER}
_Node = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition."""

    text: str
    _tree: _Node

    def references(self) -> Iterator[Reference]:
        """Yield what it looks at."""
        yield from _references(self._tree)

    def holds(self, scope: Scope) -> bool:
        """Return whether it is true now.

        Raises:
            InvalidInputError: it compares what has no order, or is no truth value.
        """
        found = _value(self._tree, scope)
        if found is None:
            return False
        if not isinstance(found, bool):
            raise InvalidInputError(f"The condition {self.text!r} is no truth value: {found!r}.")
        return found


def parse_condition(text: str) -> Condition:
    """Return the condition that ``text`` says.

    Raises:
        InvalidInputError: it says none; the message names the place.
    """
    if len(text) > MAX_CHARS:
        raise InvalidInputError(f"a condition has at most {MAX_CHARS:,} characters")
    parser = _Parser(text)
    tree = parser.any_of(0)
    if parser.peek() is not None:
        raise parser.fault("the end, and, or")
    return Condition(text, tree)


class _Parser:
    """Takes tokens from the left, one look ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._at = 0

    def _split(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while at < len(self._text.rstrip()):
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise InvalidInputError(
                    f"the condition {self._text!r} cannot be read at {self._text[at : at + 20]!r}"
                )
            kind = str(found.lastgroup)
            yield kind, found[kind], found.start(kind)
            at = found.end()

    def peek(self) -> str | None:
        """Return the next token's text; None at the end."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def fault(self, wanted: str) -> InvalidInputError:
        """Return the error that something else was expected here."""
        found = self.peek()
        place = "at its end" if found is None else f"at {found!r}"
        return InvalidInputError(f"the condition {self._text!r} wants {wanted} {place}")

    def any_of(self, depth: int) -> _Node:
        """Parse alternatives."""
        if depth > MAX_DEPTH:
            raise InvalidInputError(f"a condition nests at most {MAX_DEPTH} levels")
        parts = [self._all_of(depth)]
        while self._took("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else ("or", parts)

    def _all_of(self, depth: int) -> _Node:
        parts = [self._negated(depth)]
        while self._took("and"):
            parts.append(self._negated(depth))
        return parts[0] if len(parts) == 1 else ("and", parts)

    def _negated(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise InvalidInputError(f"a condition nests at most {MAX_DEPTH} levels")
        if self._took("not"):
            return ("not", self._negated(depth + 1))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> _Node:
        left = self._operand(depth)
        sign = self.peek()
        if sign == "not":
            self._at += 1
            if not self._took("in"):
                raise self.fault("in")
            return ("not", ("in", left, self._operand(depth)))
        if sign == "in" or sign in _SIGNS:
            self._at += 1
            return (sign, left, self._operand(depth))
        return left

    def _operand(self, depth: int) -> _Node:
        if self._took("("):
            inner = self.any_of(depth + 1)
            self._must(")")
            return inner
        if self._took("["):
            return ("list", self._entries(depth + 1))
        if self.peek() is None:
            raise self.fault("a value")
        kind, text, _ = self._tokens[self._at]
        if kind in ("sign", "word") and text not in _WORDS:
            raise self.fault("a value (text goes in quotes)")
        self._at += 1
        if kind == "reference":
            return ("reference", Reference.parse(text[2:-1]))
        if kind == "number":
            return ("literal", float(text) if re.search(r"[.eE]", text) else int(text))
        return ("literal", _WORDS[text] if kind == "word" else text[1:-1])

    def _entries(self, depth: int) -> list[_Node]:
        entries: list[_Node] = []
        if self._took("]"):
            return entries
        while True:
            if depth > MAX_DEPTH:
                raise InvalidInputError(f"a condition nests at most {MAX_DEPTH} levels")
            entries.append(self._operand(depth))
            if self._took("]"):
                return entries
            self._must(",")

    def _took(self, text: str) -> bool:
        is_next = self._at < len(self._tokens) and self._tokens[self._at][1] == text
        is_next = is_next and self._tokens[self._at][0] != "text"
        self._at += is_next
        return is_next

    def _must(self, text: str) -> None:
        if not self._took(text):
            raise self.fault(repr(text))


def _references(node: _Node) -> Iterator[Reference]:
    if node[0] == "reference":
        yield node[1]
    elif node[0] != "literal":
        for part in node[1:]:
            for inner in part if isinstance(part, list) else [part]:
                yield from _references(inner)


def _value(node: _Node, scope: Scope) -> Any:  # noqa: PLR0911 one line for each form
    match node[0]:
        case "literal":
            return node[1]
        case "reference":
            return scope.value(node[1])
        case "list":
            return [_value(part, scope) for part in node[1]]
        case "not":
            return not _truth(node[1], scope)
        case "and":
            return all(_truth(part, scope) for part in node[1])
        case "or":
            return any(_truth(part, scope) for part in node[1])
    left, right = _value(node[1], scope), _value(node[2], scope)
    if node[0] == "in":
        return _is_in(left, right)
    if node[0] in ("==", "!="):
        return _is_same(left, right) == (node[0] == "==")
    return _in_order(node[0], left, right)


def _truth(node: _Node, scope: Scope) -> bool:
    found = _value(node, scope)
    if found is not None and not isinstance(found, bool):
        raise InvalidInputError(f"and, or and not take truth values; found {found!r}.")
    return bool(found)


def _is_same(left: Any, right: Any) -> bool:
    """Whether two values are equal; true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _is_in(left: Any, right: Any) -> bool:
    if isinstance(right, str) and isinstance(left, str):
        return left in right
    if not isinstance(right, list | dict):
        raise InvalidInputError(f"'in' wants a list, a mapping or text; found {right!r}.")
    return any(_is_same(left, each) for each in right)


def _in_order(sign: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    is_number = _is_number(left) and _is_number(right)
    if not is_number and not (isinstance(left, str) and isinstance(right, str)):
        raise InvalidInputError(
            f"{left!r} {sign} {right!r}: only two numbers or two texts compare."
        )
    return _ORDER[sign](left, right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

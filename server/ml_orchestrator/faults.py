"""What a validation found, in the words of our errors."""

from collections.abc import Iterable

from pydantic_core import ErrorDetails

__all__ = ["faults_of"]


def faults_of(faults: Iterable[ErrorDetails], *, whole: str = "") -> str:
    """Return faults in one line, as ``place: what is wrong; place: ...``, without a full stop.

    Args:
        faults: The ``errors()`` of pydantic's ``ValidationError``, or some of them.
        whole: What the place is called where a fault is of all that was given; empty: left out.

    >>> from pydantic import TypeAdapter, ValidationError
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"a": 1, "b": []})
    ... except ValidationError as error:
    ...     faults_of(error.errors())
    'b: Input should be a valid integer'
    """
    return "; ".join(_fault(fault, whole) for fault in faults)


def _fault(fault: ErrorDetails, whole: str) -> str:
    place = ".".join(map(str, fault["loc"])) or whole
    said = fault["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"{place}: {said}" if place else said

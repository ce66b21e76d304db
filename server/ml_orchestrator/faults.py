"""What a validation found, and which name was perhaps meant, in the words of our errors."""

import difflib
import re
from collections.abc import Collection, Iterable

from pydantic import AfterValidator
from pydantic_core import ErrorDetails

__all__ = ["each_near", "faults_of", "formed", "near", "nearest"]

ALIKE = 0.6  # from 0 to 1, by difflib
MOST_COMPARED = 5  # of several names; a thousand known ones take 3 ms each


def faults_of(faults: Iterable[ErrorDetails], *, whole: str = "", known: Iterable[str] = ()) -> str:
    """Return faults in one line, as ``place: what is wrong; place: ...``, without a full stop.

    Args:
        faults: The ``errors()`` of pydantic's ``ValidationError``, or some of them.
        whole: What the place is called where a fault is of all that was given; empty: left out.
        known: The fields of what was given: an unknown one is told the most similar of them.

    >>> from pydantic import TypeAdapter, ValidationError
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"a": 1, "b": []})
    ... except ValidationError as error:
    ...     faults_of(error.errors())
    'b: Input should be a valid integer'
    """
    names = list(known)
    return "; ".join(_fault(fault, whole) + _near(fault, names) for fault in faults)


def formed(pattern: str, words: str) -> AfterValidator:
    """Return a check that a whole text is of a form, which a fault tells in words.

    A pattern of pydantic's ``Field`` would be shown to whoever wrote the text.

    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter, ValidationError
    >>> name = TypeAdapter(Annotated[str, formed("[a-z]+", "must be small letters")])
    >>> try:
    ...     name.validate_python("A1")
    ... except ValidationError as error:
    ...     faults_of(error.errors(), whole="name")
    'name: must be small letters'
    """
    form = re.compile(pattern)

    def check(text: str) -> str:
        if form.fullmatch(text) is None:
            raise ValueError(words)
        return text

    return AfterValidator(check)


def near(name: str, known: Iterable[str]) -> str:
    """Return words that name the most similar of the known names; none if none is similar.

    >>> near("drift_chek", ["drift_check", "memory_load"])
    " (did you mean 'drift_check'?)"
    """
    found = nearest(name, known)
    return "" if found is None else f" (did you mean {found!r}?)"


def each_near(names: Iterable[str], known: Collection[str]) -> str:
    """Return names that are not known for a sentence, the first five with the most similar known.

    >>> each_near(["agee", "x"], ["age", "city"])
    "'agee' (did you mean 'age'?), 'x'"
    """
    return ", ".join(
        f"{name!r}{near(name, known) if number < MOST_COMPARED else ''}"
        for number, name in enumerate(names)
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the most similar of the known names, capitals or not; None if none is similar.

    >>> nearest("Champion", ["challenger", "champion"])
    'champion'
    """
    by_form = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(name.casefold(), by_form, n=1, cutoff=ALIKE)
    return by_form[found[0]] if found else None


def _fault(fault: ErrorDetails, whole: str) -> str:
    place = ".".join(map(str, fault["loc"])) or whole
    said = fault["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"{place}: {said}" if place else said


def _near(fault: ErrorDetails, known: list[str]) -> str:
    if fault["type"] != "extra_forbidden" or len(fault["loc"]) != 1:
        return ""
    return near(str(fault["loc"][0]), known)

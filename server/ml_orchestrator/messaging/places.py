"""What leases are on: how a resource is written down, and which may mean the same thing."""

import fnmatch
import posixpath
import re

from ml_orchestrator.datasets.source_names import BUILTIN_PREFIX
from ml_orchestrator.errors import InvalidInputError

__all__ = ["canonical", "check_literal", "overlaps", "trimmed"]

KINDS_OF_PLACES = {"file", "data"}
_MAGIC = re.compile(r"[*?\[]")
_ONE_OF = re.compile(r"\[!?\]?[^\]]*\]")  # a sign of several
_BRACES = re.compile(r"\{[^{}]*(,|\.\.)[^{}]*\}")  # what a shell makes several names of
_UP = re.compile(r"(?:\.\./)*")  # of a path with a slash at its end
_ABSOLUTE = -1


def trimmed(resource: str) -> str:
    """Return a resource without blanks around its kind, its name, and the two parts of an alias.

    >>> trimmed("model: churn "), trimmed("alias:churn @ champion")
    ('model:churn', 'alias:churn@champion')
    """
    kind, colon, name = (part.strip() for part in resource.partition(":"))
    if kind == "alias":
        name = "@".join(part.strip() for part in name.split("@"))
    return f"{kind}{colon}{name}"


def check_literal(resource: str) -> None:
    """Refuse signs that a writer means as a pattern and that would be taken as they stand.

    Raises:
        InvalidInputError: the message says what to take instead.
    """
    kind, _, name = resource.partition(":")
    if kind in KINDS_OF_PLACES:
        _check_braces(resource)
    elif _MAGIC.search(name):
        raise InvalidInputError(
            f"Resource {resource[:80]!r}: models and aliases are named as they are; '*', '?' and "
            "'[' stand for nothing there. Take model:MODEL, which covers all aliases of one "
            "model, and one lease for each model. Patterns are for file: and data:."
        )
    elif kind == "model" and "@" in name:
        raise InvalidInputError(
            f"Resource {resource[:80]!r} names an alias: write alias:{name[:80]}, or "
            f"model:{name.partition('@')[0][:80]} for the model with all of its aliases."
        )


def _check_braces(resource: str) -> None:
    if found := _BRACES.search(_ONE_OF.sub("", resource)):
        raise InvalidInputError(
            f"Resource {resource[:80]!r}: {found[0][:40]!r} is no pattern here; '*', '?' and "
            "[...] are. Take one lease for each name, or a '*'. If a name does hold these signs, "
            "write [{] for the '{'."
        )


def canonical(resource: str) -> str:
    """Return the one spelling of a resource that is stored and looked up.

    >>> canonical("file:./data//raw/../a.csv"), canonical("file://srv/data/")
    ('file:data/a.csv', 'file:/srv/data')
    >>> canonical("model:./a"), canonical("data:builtin:iris")
    ('model:./a', 'data:builtin:iris')
    """
    resource = trimmed(resource)
    kind, _, name = resource.partition(":")
    if not _is_path(kind, name):
        return resource
    path = posixpath.normpath(name)
    return f"{kind}:{path[1:] if path.startswith('//') else path}"


def overlaps(one: str, other: str) -> bool:
    """Whether two resources may mean the same thing.

    A model means all of its aliases, too; beyond that models and aliases are compared by name.
    Files and data are compared with one another, however their paths are spelled; a folder, also
    one that a pattern names, means all that is in it. Patterns are compared in both directions;
    two patterns that only meet in a third name are taken to overlap if the parts before their
    first wildcard agree as far as both go. Nothing is known of the working folder: an absolute
    path and a relative one are different, and so are ``data`` and ``../project/data``.

    >>> overlaps("file:data/*.csv", "file:data/a.csv"), overlaps("model:a", "model:b")
    (True, False)
    >>> overlaps("model:a", "alias:a@champion"), overlaps("alias:a@champion", "alias:a@b")
    (True, False)
    >>> overlaps("file:data", "data:./data/a.csv"), overlaps("file:data", "file:database.csv")
    (True, False)
    """
    one, other = canonical(one), canonical(other)
    if one == other or _is_alias(one, of=other) or _is_alias(other, of=one):
        return True
    (kind, _, name), (other_kind, _, other_name) = one.partition(":"), other.partition(":")
    if not {kind, other_kind} <= KINDS_OF_PLACES:
        return False
    is_path, is_other_path = _is_path(kind, name), _is_path(other_kind, other_name)
    if is_path and is_other_path:
        return _meet(name, other_name)
    return not is_path and not is_other_path and _match(name, other_name)


def _is_alias(resource: str, *, of: str) -> bool:
    kind, _, model = of.partition(":")
    return kind == "model" and resource.startswith(f"alias:{model}@")


def _is_path(kind: str, name: str) -> bool:
    """Whether it is the name of a place; data that come with a library are in none."""
    return kind in KINDS_OF_PLACES and not name.startswith(BUILTIN_PREFIX)


def _meet(path: str, other: str) -> bool:
    (start, names), (other_start, other_names) = _parts(path), _parts(other)
    if start != other_start:  # a folder above holds what is below, and nothing else is known
        above = names if start > other_start else other_names
        return _ABSOLUTE not in {start, other_start} and not above
    if not names or not other_names:
        return True
    if any(_match(names, folder) for folder in _lineage(other_names)):
        return True
    if any(_match(other_names, folder) for folder in _lineage(names)):
        return True
    if not (_MAGIC.search(names) and _MAGIC.search(other_names)):
        return False
    fixed, other_fixed = _MAGIC.split(names)[0], _MAGIC.split(other_names)[0]
    return fixed.startswith(other_fixed) or other_fixed.startswith(fixed)


def _parts(path: str) -> tuple[int, str]:
    """Return how many folders up a path starts, or that it is absolute, and the names after."""
    if path.startswith("/"):
        return _ABSOLUTE, path[1:]
    up = _UP.match(f"{path}/")
    n_up = up.end() // 3 if up else 0
    names = path[3 * n_up :]
    return n_up, "" if names == "." else names


def _lineage(names: str) -> list[str]:
    """Return a relative path and the folders that it is in."""
    parts = names.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]


def _match(one: str, other: str) -> bool:
    return fnmatch.fnmatchcase(one, other) or fnmatch.fnmatchcase(other, one)

"""Versions that skills name, against the locks, the declared ranges and each other."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

__all__ = ["declared", "locked", "version_faults", "versions_of"]

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_NAMED = re.compile(r"(?<![\w.-])([A-Za-z][A-Za-z0-9_.-]*) (\d+\.\d+(?:\.\d+)*)(?![\w.]*\w)")
_MARK = re.compile(r"^(?:Ran here with|Written for) [^:\n]*:$", re.MULTILINE)

_PROGRAMS = {"docker", "kubectl"}  # not the packages of that name

Versions = Mapping[str, Collection[str]]


def locked(folder: Path) -> dict[str, set[str]]:
    """Return each package of the lock files with its versions."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(folder.glob("*.lock")):
        for name, version in _LOCKED.findall(file.read_text(encoding="utf-8")):
            found[canonicalize_name(name)].add(version)
    return dict(found)


def declared(pyproject: Path) -> dict[str, SpecifierSet]:
    """Return each package that the project asks for, also as an extra, with its range."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    texts = chain(project["dependencies"], *project["optional-dependencies"].values())
    found: dict[str, SpecifierSet] = {}
    for requirement in map(Requirement, texts):
        name = canonicalize_name(requirement.name)
        found[name] = found.get(name, SpecifierSet()) & requirement.specifier
    return found


def versions_of(text: str, packages: Collection[str]) -> list[tuple[str, str]]:
    """Return the packages that a text names with a version: known ones, and those in a mark."""
    marked = {canonicalize_name(n) for mark in _MARK.findall(text) for n, _ in _NAMED.findall(mark)}
    named = [(canonicalize_name(name), version) for name, version in _NAMED.findall(text)]
    wanted = ({*packages} - _PROGRAMS) | marked
    return [(name, version) for name, version in named if name in wanted]


def version_faults(
    texts: Mapping[str, str], locks: Versions, ranges: Mapping[str, SpecifierSet]
) -> Iterator[str]:
    """Yield each version that the locks, the declared range or another text contradict."""
    first: dict[str, tuple[str, str]] = {}
    for place, text in texts.items():
        for name, version in versions_of(text, {*locks, *ranges}):
            known = () if name in _PROGRAMS else locks.get(name, ())
            if known and not any(_agree(version, each) for each in known):
                yield f"{place}: {name} {version}, but the locks have {', '.join(sorted(known))}"
            elif name in ranges and version not in ranges[name]:
                yield f"{place}: {name} {version}, but pyproject.toml asks for {ranges[name]}"
            where, other = first.setdefault(name, (place, version))
            if not _agree(version, other):
                yield f"{place}: {name} {version}, but {where} names {other}"


def _agree(one: str, other: str) -> bool:
    """Whether the shorter of two versions begins the longer."""
    parts = list(zip(one.split("."), other.split("."), strict=False))
    return all(left == right for left, right in parts)

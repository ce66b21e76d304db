"""What the launcher installs is what the project asks for: ``core.lock`` is whole and current."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# As `make lock` asks: what everybody needs, and traces.
ASKED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["otel"]]


def lock_of(kind: str) -> dict[str, str]:
    """Return the one version of each package that a lock file names for this machine."""
    text = (ROOT / "requirements" / f"{kind}.lock").read_text(encoding="utf-8")
    lines = [line.split("\\")[0] for line in text.splitlines() if line[:1].isalnum()]
    found = [Requirement(line) for line in lines]
    here = [each for each in found if each.marker is None or each.marker.evaluate()]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in here}


def needed(asked: Requirement) -> Iterator[Requirement]:
    """Yield what a package that is installed here needs, with the extras asked for."""
    try:
        named = [Requirement(text) for text in requires(asked.name) or ()]
    except PackageNotFoundError:
        return
    for each in named:
        extras = ({"extra": extra} for extra in ("", *asked.extras))
        if each.marker is None or any(each.marker.evaluate(extra) for extra in extras):
            yield each


@pytest.mark.parametrize("text", ASKED)
def test_what_the_project_asks_for_is_locked_with_all_that_it_needs(text: str) -> None:
    lock = lock_of("core")
    waiting, seen = [Requirement(text)], set[str]()
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        assert name in lock, f"{asked} is missing: run `make lock`"
        assert asked.specifier.contains(lock[name], prereleases=True), f"{asked}: {lock[name]}"
        if f"{asked}" not in seen:
            seen.add(f"{asked}")
            waiting += needed(asked)


def test_the_lock_for_developers_has_the_same_versions() -> None:
    core, dev = lock_of("core"), lock_of("dev")
    assert len(core) > len(ASKED)
    assert {name: dev.get(name) for name in core} == core

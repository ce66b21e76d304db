"""What other packages add to a catalogue: found, checked, loaded, refused, left alone."""

import importlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_orchestrator import extensions
from ml_orchestrator.breaker import Breaker
from ml_orchestrator.catalog import Catalog
from ml_orchestrator.doors import Door
from ml_orchestrator.errors import InvalidInputError, NotFoundError, UnavailableError

Install = Callable[..., None]
FITS = "ml-orchestrator-mcp>=0.1,<0.2"
_numbers = itertools.count()


@pytest.fixture
def greetings() -> Catalog[str]:
    """A catalogue with one entry of ours, which packages may add to as to prompt rules."""
    catalogue: Catalog[str] = Catalog(
        "greeting", extended_by="rules", must_have=("upper",), taken=lambda: ["adieu"]
    )
    catalogue.register("hello")("Hello")
    return catalogue


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greetings: Catalog[str]) -> Install:
    """Put a package with its metadata on the path; its module finds the catalogue by import."""
    monkeypatch.setitem(sys.modules, "greetings_of_the_test", _module(greetings))
    monkeypatch.syspath_prepend(str(tmp_path))

    def do(
        package: str, code: str, *names: str, requires: str | None = FITS, kind: str = "rules"
    ) -> None:
        module = f"installed_{next(_numbers)}"
        (tmp_path / f"{module}.py").write_text(
            f"from greetings_of_the_test import GREETINGS\n{code}\n", encoding="utf-8"
        )
        about = tmp_path / f"{package}-1.0.dist-info"
        about.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{needs}", encoding="utf-8"
        )
        points = "".join(f"{name} = {module}\n" for name in names)
        (about / "entry_points.txt").write_text(
            f"[ml_orchestrator.{kind}]\n{points}", encoding="utf-8"
        )
        importlib.invalidate_caches()
        monkeypatch.setattr(extensions, "_installed", Door(extensions._read))

    return do


def _module(catalogue: Catalog[str]) -> "type":
    return type("greetings", (), {"GREETINGS": catalogue})


def register(name: str, entry: str = "'Moin'") -> str:
    return f"GREETINGS.register({name!r})({entry})"


def test_an_entry_is_found_without_being_imported_and_loaded_when_it_is_wanted(
    install: Install, greetings: Catalog[str]
) -> None:
    install("north", register("moin"), "moin")
    found = extensions.found("rules")["moin"]
    assert (found.title, found.is_loaded) == ("north 1.0", False)
    assert greetings["hello"] == "Hello"
    assert not found.is_loaded

    assert greetings["moin"] == "Moin"
    assert found.is_loaded
    assert (found.import_ms or 0) > 0
    assert (list(greetings), greetings.ours) == (["hello", "moin"], ["hello"])


def test_a_package_that_raises_on_import_is_left_out_and_named(
    install: Install, greetings: Catalog[str], caplog: pytest.LogCaptureFixture
) -> None:
    install("broken", f"{register('moin')}\nraise KeyError('no such planet')", "moin")
    install("sound", register("ahoi", "'Ahoi'"), "ahoi")

    assert list(greetings) == ["ahoi", "hello"]
    with pytest.raises(NotFoundError) as refused:
        greetings["moin"]
    assert str(refused.value).startswith(
        "No greeting named 'moin'; known: ahoi, hello. "
        "broken 1.0 failed: KeyError: 'no such planet'"
    )
    assert "no such planet" in caplog.text


def test_a_package_that_leaves_the_interpreter_does_not_take_us_along(
    install: Install, greetings: Catalog[str]
) -> None:
    install("rude", "raise SystemExit(3)", "moin")

    assert "moin" not in greetings
    assert list(greetings) == ["hello"]


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("ml-orchestrator-mcp>=7", r"south 1\.0 is made for ml-orchestrator-mcp>=7; this is 0\."),
        (None, r"south 1\.0 does not say which releases it is made for"),
        ("numpy>=1", r"south 1\.0 does not say which releases it is made for"),
    ],
)
def test_a_package_made_for_another_release_is_refused_before_its_import(
    install: Install, greetings: Catalog[str], requires: str | None, reason: str
) -> None:
    install("south", "raise AssertionError('was imported')", "servus", requires=requires)
    install("north", register("moin"), "moin")

    assert list(greetings) == ["hello", "moin"]
    with pytest.raises(NotFoundError, match=reason):
        greetings["servus"]


def test_a_name_that_ships_is_not_replaced(install: Install, greetings: Catalog[str]) -> None:
    install("thief", register("hello", "'Stolen'"), "hello")

    assert list(greetings) == ["hello"]
    assert greetings["hello"] == "Hello"
    assert "thief 1.0 adds a greeting named 'hello', which is the name of one that ships" in (
        greetings.why_absent("hello")
    )


def test_a_name_that_something_else_has_is_not_given_twice(
    install: Install, greetings: Catalog[str]
) -> None:
    install("thief", register("adieu"), "adieu")

    assert list(greetings) == ["hello"]
    assert "which is the name of one that ships" in greetings.why_absent("adieu")


def test_of_two_packages_that_claim_one_name_neither_is_loaded(
    install: Install, greetings: Catalog[str]
) -> None:
    install("north", register("moin"), "moin")
    install("coast", register("moin"), "moin")

    assert list(greetings) == ["hello"]
    with pytest.raises(NotFoundError, match="claimed by coast and north, so neither is loaded"):
        greetings["moin"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "registers no greeting named 'moin'"),
        (register("moin", "7"), "its greeting 'moin' has no upper"),
        (f"{register('moin')}\n{register('extra')}", "'extra' that its entry points do not name"),
    ],
)
def test_what_a_module_registers_is_what_its_entry_point_names(
    install: Install, greetings: Catalog[str], code: str, reason: str
) -> None:
    install("sloppy", code, "moin")

    with pytest.raises(NotFoundError, match=reason):
        greetings["moin"]
    assert list(greetings) == ["hello"]


def test_an_unknown_kind_is_refused_by_name(install: Install) -> None:
    install("typo", "", "moin", kind="rulez")

    refused = extensions.found()["rulez:moin"].refused or ""
    assert refused.startswith("typo 1.0 adds to ml_orchestrator.rulez, which is no kind")
    assert "trainers, rules, drift_tests" in refused


def test_an_entry_that_fails_in_a_loop_is_left_alone_then_tried_again(
    install: Install, greetings: Catalog[str]
) -> None:
    install("north", register("moin"), "moin")
    now = [0.0]
    assert greetings["moin"]
    extensions.found("rules")["moin"].breaker = Breaker(clock=lambda: now[0])
    for _ in range(3):
        with (
            pytest.raises(UnavailableError, match=r"greeting 'moin' of north 1\.0 failed \(Zero"),
            greetings.calling("moin"),
        ):
            1 / 0  # noqa: B018

    assert list(greetings) == ["hello"]
    with pytest.raises(UnavailableError, match=r"is left alone for now.*again in 1 s"):
        greetings["moin"]
    now[0] += 1.0
    assert list(greetings) == ["hello", "moin"]
    with greetings.calling("moin"):
        assert greetings["moin"] == "Moin"
    assert extensions.found("rules")["moin"].breaker.look().n_failures == 0


def test_a_refusal_of_ours_is_no_failure_and_ours_are_not_guarded(
    install: Install, greetings: Catalog[str]
) -> None:
    install("north", register("moin"), "moin")
    assert greetings["moin"]
    with pytest.raises(InvalidInputError), greetings.calling("moin"):
        raise InvalidInputError("Such a number cannot be greeted.")
    with pytest.raises(ZeroDivisionError), greetings.calling("hello"):
        1 / 0  # noqa: B018

    assert extensions.found("rules")["moin"].breaker.look().n_failures == 0

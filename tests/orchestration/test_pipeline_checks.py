"""What is said of a pipeline before it starts: every fault at once, hostile text refused."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tests.orchestration.tiny_pipelines as tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_orchestrator.errors import InvalidInputError, NotFoundError, PathNotAllowedError
from ml_orchestrator.orchestration.pipelines.conditions import parse_condition
from ml_orchestrator.orchestration.pipelines.graph import cycles_in, ordered
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.pipelines.reading import MAX_BYTES, read_spec
from ml_orchestrator.orchestration.pipelines.references import Scope, resolved
from ml_orchestrator.orchestration.pipelines.usable import given_by, taken_by, usable_steps
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.settings import Settings

_REGISTERED = tiny.__name__


def here(tmp_path: Path) -> Settings:
    return Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)


def faults(spec: Any, settings: Settings, params: dict[str, Any] | None = None) -> str:
    with pytest.raises(InvalidInputError) as refused:
        plan_pipeline(spec, params, settings)
    return str(refused.value)


FAULTY = """
name: faulty
params:
  n: {type: integer}
steps:
  a: {uses: profle, with: {source: "builtin:iris"}}
  b: {uses: profile, with: {sauce: x}, needs: [nowhere]}
  c: {uses: require, with: {value: "${steps.d.output.drifted}", at_least: much}, needs: [b]}
  d: {uses: check_drift, with: {reference: "${steps.e.output}", current: "${params.m}"}, needs: [c]}
  e: {uses: pick_best, with: {candidates: "${steps.b.output.n_rows}"}, when: "1 <"}
  f: {uses: set_alias, cache: true, with: {model: m, version: "${steps.b.output.digest}"}}
  g: {uses: require, with: {value: "${params.n}"}, for_each: "${steps.b.output.n_rows}"}
  h: {uses: send_message, with: {to: [x], content: "All: ${steps.b.output}"}}
  i: {uses: approval, with: {question: "ok?"}, retries: 2}
  j: {uses: profile, with: {source: "${item}"}}
  k: {uses: profile, with: {source: "../outside.csv"}}
  l: {uses: require, with: {value: "${item}"}, for_each: "${item}"}
"""


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    said = faults(FAULTY, here(tmp_path))

    for part in (
        "steps.a.uses: no step 'profle' (did you mean 'profile'?); known: approval, check_drift",
        "steps.b.needs: there is no step 'nowhere'",
        "steps.b.with.sauce: 'profile' takes no such input (did you mean 'source'?)",
        "steps.b.with: missing source, which 'profile' needs",
        "steps.c: ${steps.d.output.drifted}: there is no 'drifted'; known: is_drifted",
        'steps.c.with.at_least: Input should be a valid number (found "much")',
        "steps.d: ${params.m}: there is no parameter 'm'",
        "steps.d.with.reference: ${steps.e.output} is mapping, and text is wanted",
        "steps.e: the condition '1 <' wants a value at its end",
        "steps.e.with.candidates: ${steps.b.output.n_rows} is integer, and list is wanted",
        "steps.f.cache: 'set_alias' changes things outside its output",
        "steps.f.with.version: ${steps.b.output.digest} is text, and integer is wanted",
        "steps.g.for_each: ${steps.b.output.n_rows} is integer, and list is wanted",
        "steps.h.with.content: ${steps.b.output} stands inside text and is mapping",
        "steps.i.retries: a person's approval has none",
        "steps.j: ${item} stands in a step without for_each",
        "steps.k.with.source: Path '../outside.csv' is not allowed",
        "steps.l.for_each: ${item} is known inside the step only",
    ):
        assert part in said


def test_a_circle_is_named_by_its_path(tmp_path: Path) -> None:
    steps = {
        name: {"uses": "require", "with": {"value": 1}, "needs": [needed]}
        for name, needed in (("a", "c"), ("b", "a"), ("c", "b"))
    }
    said = faults({"name": "round", "steps": steps}, here(tmp_path))

    assert "the steps need each other in a circle: a -> c -> b -> a" in said


def test_each_of_several_circles_is_named_once(tmp_path: Path) -> None:
    needs = {"a": "b", "b": "a", "c": "d", "d": "c", "e": "d", "f": "f"}
    steps = {
        name: {"uses": "require", "with": {"value": 1}, "needs": [needed]}
        for name, needed in needs.items()
    }
    said = faults({"name": "rounds", "steps": steps}, here(tmp_path))

    for circle in ("a -> b -> a", "c -> d -> c", "f -> f"):
        assert f"the steps need each other in a circle: {circle}" in said
    assert said.count("in a circle") == 3


FAULTS_OF_FORM = (
    ("timeout_s: 0, ", "steps.b.timeout_s: Input should be greater than 0"),
    ("for_each: 3, ", "steps.b.for_each."),
    ("retries: -1, ", "steps.b.retries.max: Input should be greater than or equal to 0"),
    ("colour: red, ", "steps.b.colour is unknown"),
    ("needs: [1, nowhere], ", "steps.b.needs.0: Input should be a valid string"),
)


@pytest.mark.parametrize(("field", "said"), FAULTS_OF_FORM)
def test_a_fault_of_form_hides_no_fault_of_meaning(field: str, said: str, tmp_path: Path) -> None:
    spec = FAULTY.replace("b: {", f"b: {{{field}")
    if "needs" in field:
        spec = spec.replace(", needs: [nowhere]", "")
    of_meaning = set(re.split(r"[:;] \(\d+\) ", faults(FAULTY, here(tmp_path)).rstrip("."))[1:])
    named = re.split(r"[:;] \(\d+\) ", faults(spec, here(tmp_path)).rstrip("."))[1:]

    assert any(each.startswith(said) for each in named)
    more = {each for each in named if not each.startswith(said)}
    if "for_each" not in field:  # with it, other steps rightly see a list
        assert more == of_meaning


def test_what_cannot_be_read_is_told_once_and_the_rest_is_checked(tmp_path: Path) -> None:
    spec = {
        "name": "a b",
        "schedule": "61 * * * *",
        "params": {
            "n": {"type": "integer", "default": "three"},
            "kind": {"type": "nunber"},
            "plain": 3,
            "level": {"type": "number"},
        },
        "outputs": ["x"],
        "steps": {
            "my step": {"uses": "require", "with": {"value": "${params.kind}"}},
            "odd": ["uses"],
            "two": {
                "uses": "require",
                "needs": ["my step", "odd", "gone"],
                "with": {"value": "${params.n}", "at_least": "${params.plain}"},
            },
            "three": {"uses": 4, "with": {"a": "${steps.odd.output.x}"}, "needs": ["four"]},
            "four": {"with": {"b": "${steps.three.output.y}"}},
            "five": {"uses": "profile", "with": "builtin:iris"},
            "six": {"uses": "require", "with": {"value": "${params.level}", "valu": 1}},
        },
    }
    said = re.split(
        r"[:;] \(\d+\) ", faults(spec, here(tmp_path), {"n": "3", "kind": 1, "level": "x"})
    )

    assert [each.split(":")[0] for each in said[1:]] == [
        "name",
        "params.n",  # its default
        "params.kind.type",
        "params.plain",
        "steps.my step",
        "steps.odd",
        "steps.three.uses",
        "steps.four.uses",
        "steps.five.with",
        "outputs",
        "schedule",
        "params.n",  # what is given
        "params.level",
        "steps.two.needs",
        "steps.six.with.valu",
        "the steps need each other in a circle",
    ]
    assert "three -> four -> three" in said[-1]
    assert "there is no step 'gone'" in said[-3]


def test_a_specification_beyond_all_bounds_is_not_looked_into(tmp_path: Path) -> None:
    steps = {f"s{number}": {"uses": "requires"} for number in range(101)}

    said = faults({"name": "many", "steps": steps}, here(tmp_path))

    assert "steps: Dictionary should have at most 100 items" in said
    assert "requires" not in said


def test_faults_of_form_and_of_parameters_are_named_together(tmp_path: Path) -> None:
    one = {"uses": "require", "with": {"value": "${params.n}"}}
    declared = {"n": {"type": "number"}, "kind": {"default": "a", "choices": ["a", "b"]}}
    spec = {"name": "typed", "params": declared, "steps": {"one": one}}
    of_values = faults(spec, here(tmp_path), {"n": "3", "kind": "c", "other": 1})
    of_form = faults(
        {"name": "a b", "step": {}, "steps": {"one": {"use": "x"}, "two": {"uses": "nothing"}}},
        here(tmp_path),
    )

    assert 'params.n: takes number; found "3"' in of_values
    assert 'params.kind: takes one of ["a", "b"]; found "c"' in of_values
    assert "params.other: unknown; known: n, kind" in of_values
    assert "params.n: must be given" in faults(spec, here(tmp_path), {})
    for part in (
        "name: a name must be letters, digits, _ and -, the first a letter or _",
        "step is unknown; known: name, description, params, steps",
        "steps.one.uses: Field required",
        "steps.one.use is unknown; known: uses, with",
        "steps.two.uses: no step 'nothing'",
    ):
        assert part in of_form


def test_values_of_parameters_are_checked_where_they_end_up(tmp_path: Path) -> None:
    spec = {
        "name": "far",
        "params": {"n": {"type": "number"}},
        "steps": {"one": {"uses": "set_alias", "with": {"model": "m", "version": "${params.n}"}}},
    }

    assert plan_pipeline(spec, {"n": 3}, here(tmp_path)).params == {"n": 3}
    assert "steps.one.with.version: Input should be a valid integer" in faults(
        spec, here(tmp_path), {"n": 0.5}
    )


def test_doubts_are_warnings_and_do_not_stop_it(tmp_path: Path) -> None:
    planned = plan_pipeline(
        {
            "name": "doubtful",
            "params": {"idle": {"default": "x"}},
            "steps": {
                "look": {"uses": "profile", "with": {"source": "later.csv"}},
                "maybe": {
                    "uses": "pick_best",
                    "when": "${steps.look.output.n_rows} > 3",
                    "with": {"candidates": [{"score": 1}]},
                },
                "tell": {
                    "uses": "send_message",
                    "needs": ["look"],
                    "with": {"to": ["x"], "content": "${steps.look.output.target}"},
                },
                "use": {
                    "uses": "verify",
                    "with": {"model": "m", "version": "${steps.maybe.output.index}"},
                },
            },
        },
        {},
        here(tmp_path),
    )

    assert planned.order == ["look", "maybe", "tell", "use"]
    assert any("steps.look.with.source: No file 'later.csv'" in w for w in planned.warnings)
    assert "steps.tell.with.content may be null, and text is wanted" in " ".join(planned.warnings)
    assert "steps.use.with.version is null where maybe is skipped by its condition" in (
        planned.warnings
    )
    assert "parameters that nothing uses: idle" in planned.warnings


def test_beside_faults_doubts_are_told_too(tmp_path: Path) -> None:
    look = {"uses": "profile", "with": {"source": "later.csv"}}
    wrong = {"uses": "profil", "with": {"source": "builtin:iris"}}
    with pytest.raises(InvalidInputError, match=r"'profil'.*Doubtful: steps\.look\.with\.source"):
        plan_pipeline({"name": "p", "steps": {"look": look, "wrong": wrong}}, {}, here(tmp_path))


def test_one_specification_has_one_digest_however_it_is_written(tmp_path: Path) -> None:
    text = "name: same\nsteps:\n  a: {uses: require, with: {value: 1}}\n"
    as_object = {"steps": {"a": {"with": {"value": 1}, "uses": "require"}}, "name": "same"}
    (tmp_path / "same.yaml").write_text(text)
    digests = {plan_pipeline(s, {}, here(tmp_path)).digest for s in (text, as_object, "same.yaml")}
    other = plan_pipeline(text.replace("1", "2"), {}, here(tmp_path))

    assert len(digests) == 1
    assert other.digest not in digests


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "anchors and aliases are not taken"),
        ("name: &n x\nother: *n", "anchors and aliases are not taken"),
        ("!!python/object/apply:os.system ['true']", "the tag"),
        ("name: !!binary aGk=", "the tag"),
        ("name: a\nname: b", "the key 'name' comes twice (line 2, column 1)"),
        ("steps: {a: {uses: x, uses: y}}", "the key 'uses' comes twice"),
        ("yes: 1", "the key 'yes' is read as bool; write it in quotes"),
        ("a: .nan", "not finite"),
        ("a: [" * 30 + "]" * 30, "nests more than 20 levels"),
        ("a: [" + "1," * 30_000 + "]", "more than 20,000 values"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("- 1\n- 2", "The specification holds a list. A pipeline is a mapping with name and steps"),
        ("some words", "The specification holds text only"),
        ("# a remark", "The specification is empty"),
        ("3", "The specification holds one value only"),
        ("a: b: c", "no YAML"),
        ("name: x\nwith: {source: ${params.source}}", 'in quotes: {source: "${...}"}'),
        ("x" * (MAX_BYTES + 1), "more than 256,000 bytes"),
        ("a: \x00", "no YAML"),
    ],
)
def test_hostile_text_is_refused_with_its_reason(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_spec(text, here(tmp_path))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("data", "'data' is not a regular file. A pipeline is"),
        ("folder.yaml", "'folder.yaml' is not a regular file."),
        ("nothing.yaml", "'nothing.yaml' is empty. A pipeline is"),
        ("words.yaml", "'words.yaml' holds text only. A pipeline is"),
        ("notes.txt", "'notes.txt' does not end in .yaml, .yml, .json. A pipeline is"),
        ("..", "The specification holds text only."),
    ],
)
def test_what_is_no_file_of_a_pipeline_is_told_by_its_name(
    given: str, said: str, tmp_path: Path
) -> None:
    for folder in ("data", "folder.yaml"):
        (tmp_path / folder).mkdir()
    (tmp_path / "nothing.yaml").write_text("\n")
    (tmp_path / "words.yaml").write_text("train a model")
    (tmp_path / "notes.txt").write_text("name: x")

    with pytest.raises(InvalidInputError) as refused:
        read_spec(given, Settings.read({}, home=tmp_path / "home", project_dir=tmp_path))

    assert str(refused.value).startswith(said)


def test_dates_stay_text_and_a_file_must_lie_inside_the_roots(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    settings = Settings.read({}, home=tmp_path / "home", project_dir=tmp_path / "inside")
    (tmp_path / "outside.yaml").write_text("name: x")
    (tmp_path / "inside" / "link.yaml").symlink_to(tmp_path / "outside.yaml")

    assert read_spec("day: 2026-01-31\nat: '<<'", settings) == {"day": "2026-01-31", "at": "<<"}
    for path in ("../outside.yaml", str(tmp_path / "outside.yaml"), "link.yaml"):
        with pytest.raises(PathNotAllowedError, match="outside the allowed roots"):
            read_spec(path, settings)
    with pytest.raises(NotFoundError, match=r"No file 'gone\.yaml'.*In that folder: link\.yaml"):
        read_spec("gone.yaml", settings)
    for path in (f"{'a' * 5_000}.yaml", "a\0.yaml"):
        with pytest.raises(InvalidInputError, match="cannot be read as UTF-8 text"):
            read_spec(path, settings)


SCOPE = Scope(
    {"n": 3, "text": "abc", "flag": True, "none": None},
    {"a": {"score": 0.5, "names": ["x", "y"], "rows": [{"v": 1}, {"v": 2}]}, "gone": None},
    "run-1",
    {"id": 7},
)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("${params.n} > 2 and ${steps.a.output.score} <= 0.5", True),
        ("not (${params.n} == 3) or ${params.flag}", True),
        ("${params.text} in ['abc', 'd']", True),
        ("'x' in ${steps.a.output.names} and 'z' not in ${steps.a.output.names}", True),
        ("${params.flag} == 1", False),
        ("${params.none} < 3", False),
        ("${params.none} == null", True),
        ("${steps.gone.output.score} > 1", False),
        ("${params.none}", False),
        ("${params.n} != -3.0e0", True),
    ],
)
def test_a_condition_compares_and_nothing_else(condition: str, holds: bool) -> None:
    assert parse_condition(condition).holds(SCOPE) is holds


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "1 <",
        "__import__('os')",
        "a.b == 1",
        "${params.n} = 3",
        "(" * 50 + "1" + ")" * 50,
        "not " * 50 + "true",
        "[" * 50 + "]" * 50,
        "1 == 1 == 1",
        "${params.__class__.x y}",
        "'open",
        "1 2",
    ],
)
def test_what_is_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_condition(condition)


def test_a_comparison_without_an_order_is_an_error_and_not_false() -> None:
    for condition in ("${params.text} > 3", "${params.flag} > 0", "${params.n}", "1 and true"):
        with pytest.raises(InvalidInputError):
            parse_condition(condition).holds(SCOPE)


def test_references_give_values_with_their_type_and_text_inside_text() -> None:
    value = {
        "whole": "${steps.a.output.rows[1]}",
        "each": "${steps.a.output.rows.v}",
        "inside": "n=${params.n} flag=${params.flag} id=${item.id} $${params.n} ${run.id}",
        "nothing": "${steps.gone.output.x.y}",
    }

    assert resolved(value, SCOPE) == {
        "whole": {"v": 2},
        "each": [1, 2],
        "inside": "n=3 flag=true id=7 ${params.n} run-1",
        "nothing": None,
    }


@pytest.mark.parametrize(
    "text",
    ["${params}", "${params.n", "${os.x}", "${steps.a}", "${params.n()}", "${run.id.x}", "${}"],
)
def test_what_looks_like_a_reference_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        resolved(text, SCOPE)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Draw who needs whom, circles included."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 12)))]
    return {name: draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) for name in names}


def reaches(needs: dict[str, list[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [*needs[start]]
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += needs[name]
    return seen


@given(graphs())
def test_an_order_respects_every_need_or_a_real_circle_of_each_knot_is_named(
    needs: dict[str, list[str]],
) -> None:
    order, cycles = ordered(needs), cycles_in(needs)
    reached = {name: reaches(needs, name) for name in needs}
    knots = {
        frozenset(each for each in reached[name] if name in reached[each])
        for name in needs
        if name in reached[name]
    }

    assert sorted(min(knot) for knot in knots) == sorted(
        min(next(knot for knot in knots if cycle[0] in knot)) for cycle in cycles
    )
    for name in order:
        assert all(order.index(needed) < order.index(name) for needed in needs[name])
    if not cycles:
        assert sorted(order) == sorted(needs)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert all(after in needs[before] for before, after in pairwise(cycle))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["uses", "missing", "unknown", "type", "need", "reference"]),
        min_size=1,
        max_size=8,
    )
)
def test_every_fault_that_is_put_in_is_named(kinds: list[str]) -> None:
    steps: dict[str, Any] = {"fine": {"uses": "require", "with": {"value": 1}}}
    wanted = []
    for number, kind in enumerate(kinds):
        name = f"s{number}"
        step: dict[str, Any] = {"uses": "require", "with": {"value": 1}}
        match kind:
            case "uses":
                step["uses"] = "requires"
                wanted.append(f"steps.{name}.uses: no step 'requires'")
            case "missing":
                step["with"] = {}
                wanted.append(f"steps.{name}.with: missing value")
            case "unknown":
                step["with"]["valeu"] = 1
                wanted.append(f"steps.{name}.with.valeu: 'require' takes no such input")
            case "type":
                step["with"]["value"] = "much"
                wanted.append(f"steps.{name}.with.value: Input should be a valid number")
            case "need":
                step["needs"] = ["fin"]
                wanted.append(f"steps.{name}.needs: there is no step 'fin' (did you mean 'fine'?)")
            case _:
                step["with"]["value"] = "${steps.fine.output.valeu}"
                wanted.append(f"steps.{name}: ${{steps.fine.output.valeu}}: there is no 'valeu'")
        steps[name] = step
    said = faults({"name": "random", "steps": steps}, here(Path("/nowhere")))

    assert [part for part in wanted if part not in said] == []
    assert "steps.fine." not in said.replace("${steps.fine.output", "")


@pytest.mark.parametrize("name", usable_steps())
def test_every_usable_step_has_models_and_a_function(name: str) -> None:
    assert taken_by(name).model_json_schema()["type"] == "object"
    assert given_by(name).model_json_schema()["type"] == "object"
    assert callable(STEPS[name].load())

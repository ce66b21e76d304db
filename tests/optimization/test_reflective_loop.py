"""The reflective loop, played by a scripted writer whose prompts are a toy with a known answer."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.optimization.reflective import store
from ml_orchestrator.optimization.reflective.desk import ReflectiveDesk
from ml_orchestrator.optimization.reflective.models import Answer, Brief, Check, Example, Proposal
from ml_orchestrator.optimization.reflective.store import SessionStore
from ml_orchestrator.storage.locks import exclusive

WORDS = ("alpha", "beta", "gamma", "delta")
SEED_PROMPT = "Answer the question in {text}."


def examples(n: int) -> list[Example]:
    """Example k wants the word k mod 4 in the answer."""
    return [
        Example(id=f"e{k}", input=f"question number {k}", expected=WORDS[k % 4]) for k in range(n)
    ]


def run(text: str, input_: str) -> str:
    """The toy model: it says every Greek letter that its prompt names, and no other."""
    return " ".join(word for word in WORDS if re.search(rf"\b{word}\b", text)) or "no idea"


def answers(brief: Brief) -> list[Answer]:
    return [
        Answer(candidate=need.candidate, example=id_, output=run(need.text, input_))
        for need in brief.needs
        for id_, input_ in need.examples.items()
    ]


def proposal(brief: Brief, text: str) -> Proposal:
    assert brief.parent is not None
    ran = {id_: run(text, input_) for id_, input_ in brief.parent.examples.items()}
    return Proposal(text=text, answers=[Answer(example=e, output=out) for e, out in ran.items()])


def begin(desk: ReflectiveDesk, n: int = 40, **changes: object) -> Brief:
    given: dict[str, object] = {
        "agent": "tester", "checks": [Check(kind="contains")], "budget": 300, "seed": 3,
    }  # fmt: skip
    return desk.begin(SEED_PROMPT, examples(n), **{**given, **changes})  # type: ignore[arg-type]


def begin_with(desk: ReflectiveDesk, given: list[Example]) -> Brief:
    checks = [Check(kind="contains")]
    return desk.begin(SEED_PROMPT, given, agent="tester", checks=checks, budget=300, seed=3)


def open_desk(home: Path) -> ReflectiveDesk:
    numbers = iter(range(100))
    return ReflectiveDesk(
        home, new_id=lambda: f"gp-{next(numbers)}", now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )


def play(desk: ReflectiveDesk, brief: Brief, *, rounds: int) -> Brief:
    """Let a writer add the word that the worst example of each brief lacks."""
    for _ in range(rounds):
        while brief.needs:
            brief = desk.submit(brief.session, answers=answers(brief))
        if brief.stage != "propose":
            break
        assert brief.parent is not None
        better = f"{brief.parent.text} Consider {brief.judged[0].expected}."
        brief = desk.submit(brief.session, proposals=[proposal(brief, better)])
    while brief.needs:
        brief = desk.submit(brief.session, answers=answers(brief))
    return brief


def finish(desk: ReflectiveDesk, brief: Brief) -> Brief:
    brief = desk.submit(brief.session, finish=True)
    assert brief.stage == "test"
    return desk.submit(brief.session, answers=answers(brief))


def test_a_writer_who_reads_the_failures_gets_a_confirmed_gain_on_hidden_examples(
    tmp_path: Path,
) -> None:
    desk = open_desk(tmp_path)
    brief = play(desk, begin(desk), rounds=8)
    test_ids = {
        e.id for e in SessionStore(tmp_path).read(brief.session).examples if e.split == "test"
    }
    assert len(test_ids) == 12
    report = finish(desk, brief).report
    assert report is not None
    assert all(word in report.text for word in WORDS)
    assert (report.level, report.gain, report.n_test, report.is_confirmed) == ("L2", 1.0, 12, True)
    assert report.scored_by == "checks"
    assert report.high == 1.0
    assert report.low == pytest.approx(2 * 0.025 ** (1 / 12) - 1)  # Clopper and Pearson
    assert report.p_value == pytest.approx(2**-12)


def test_test_examples_are_not_shown_before_the_end(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    brief = begin(desk)
    hidden = {
        e.id for e in SessionStore(tmp_path).read(brief.session).examples if e.split == "test"
    }
    for _ in range(6):
        shown = {id_ for need in brief.needs for id_ in need.examples}
        shown |= set(brief.parent.examples if brief.parent else ())
        assert not shown & hidden
        brief = play(desk, brief, rounds=1)


def test_answers_that_do_not_depend_on_the_prompt_give_no_confirmed_gain(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    confirmed = 0
    for seed in range(3):
        brief = begin(desk, checks=[], seed=seed)
        for turn in range(30):
            scores = [
                Answer(candidate=n.candidate, example=e, score=float(hash_(seed, n.candidate, e)))
                for n in brief.needs
                for e in n.examples
            ]
            if brief.needs:
                brief = desk.submit(brief.session, answers=scores)
            elif brief.stage == "propose" and brief.parent is not None:
                name = f"c{len(brief.candidates)}"
                given = [
                    Answer(example=e, score=float(hash_(seed, name, e)))
                    for e in brief.parent.examples
                ]
                text = f"{SEED_PROMPT} Variant {turn}."
                brief = desk.submit(brief.session, proposals=[Proposal(text=text, answers=given)])
            else:
                break
        brief = desk.submit(brief.session, finish=True)
        scores = [
            Answer(candidate=n.candidate, example=e, score=float(hash_(seed, n.candidate, e)))
            for n in brief.needs
            for e in n.examples
        ]
        report = desk.submit(brief.session, answers=scores).report
        assert report is not None
        assert report.scored_by == "caller"
        assert "given by the caller" in report.summary
        confirmed += report.is_confirmed
    assert confirmed == 0


def hash_(seed: int, candidate: str, example: str) -> int:
    """A coin for each candidate and example, the same in every process."""
    import zlib

    return zlib.crc32(f"{seed}/{candidate}/{example}".encode()) >> 7 & 1


def test_another_process_goes_on_with_what_the_first_left(tmp_path: Path) -> None:
    whole = open_desk(tmp_path / "whole")
    brief = finish(whole, play(whole, begin(whole), rounds=6))
    first = open_desk(tmp_path / "parts")
    other = begin(first)
    for _ in range(6):  # a desk of its own for each step, as after a kill
        other = play(ReflectiveDesk(tmp_path / "parts"), other, rounds=1)
    desk = ReflectiveDesk(tmp_path / "parts")
    assert finish(desk, desk.brief(other.session)).report == brief.report


def test_a_candidate_that_repeats_an_example_is_refused_with_the_passage(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    told = [
        Example(id=f"e{k}", input=f"why does part {k} of the engine fail at night", expected="beta")
        for k in range(20)
    ]
    brief = desk.begin(SEED_PROMPT, told, agent="a", checks=[Check(kind="contains")], budget=200)
    brief = desk.submit(brief.session, answers=answers(brief))
    text = f"{SEED_PROMPT} If asked: of the engine fail at night, say beta."
    brief = desk.submit(brief.session, proposals=[proposal(brief, text)])
    assert brief.candidates[0].state == "refused"
    assert "'of the engine fail at night'" in brief.candidates[0].reason


def test_a_candidate_that_tells_the_answers_is_refused_and_one_that_names_labels_is_not(
    tmp_path: Path,
) -> None:
    sums = [
        Example(id=f"e{k}", input=f"what is {k} times 37", expected=str(37 * k)) for k in range(40)
    ]
    desk = open_desk(tmp_path)
    brief = desk.begin(SEED_PROMPT, sums, agent="a", checks=[Check(kind="exact")], budget=200)
    brief = desk.submit(brief.session, answers=answers(brief))
    known = ", ".join(each.expected or "" for each in sums)
    text = f"{SEED_PROMPT} Known answers: {known}."

    brief = desk.submit(brief.session, proposals=[proposal(brief, text)])

    told = brief.candidates[0]
    assert told.state == "refused"
    assert told.reason.startswith("It tells the answers of 40 examples: ")
    assert told.reason.endswith("State how an answer is found, not the answers.")
    labelled = begin(desk)
    labelled = desk.submit(labelled.session, answers=answers(labelled))
    named = proposal(labelled, f"{SEED_PROMPT} Say {', '.join(WORDS)}.")
    assert desk.submit(labelled.session, proposals=[named]).candidates[0].state != "refused"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Answer the question.", "It lost {text}."),
        (SEED_PROMPT + " beta" * 300, "It has about 309 tokens; at most 209 are allowed."),
        (SEED_PROMPT, "It is the same as c0."),
    ],
)
def test_a_candidate_outside_the_constraints_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    desk = open_desk(tmp_path)
    brief = begin(desk)
    brief = desk.submit(brief.session, answers=answers(brief))
    brief = desk.submit(brief.session, proposals=[proposal(brief, text)])
    assert (brief.candidates[0].state, brief.candidates[0].reason) == ("refused", reason)


def test_a_budget_below_what_acceptance_takes_is_refused_with_what_is_needed(
    tmp_path: Path,
) -> None:
    with pytest.raises(InvalidInputError, match=r"at least 42 are needed \(two passes over 12"):
        begin(open_desk(tmp_path), budget=41)
    assert begin(open_desk(tmp_path), budget=42).stage == "baseline"


def test_a_used_budget_ends_the_rounds(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    brief = play(desk, begin(desk, budget=42), rounds=20)
    assert brief.stage == "exhausted"
    assert brief.n_scored <= 42


def test_too_few_examples_are_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="at least 3 train, 3 validation, 6 test"):
        begin(open_desk(tmp_path), n=10)
    with pytest.raises(InvalidInputError, match=r"16 with 16 different inputs .* 17 in all"):
        begin(open_desk(tmp_path), n=16)
    assert begin(open_desk(tmp_path), n=17).sizes == {"train": 6, "validation": 5, "test": 6}


def test_a_blank_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="The prompt is blank"):
        open_desk(tmp_path).begin(" \n ", examples(40), agent="tester", budget=300)


def test_equal_inputs_stay_in_one_part_and_count_once(tmp_path: Path) -> None:
    once = examples(20)
    again = [
        e.model_copy(update={"id": f"x{e.id}", "input": f" {e.input.upper()}  "}) for e in once
    ]
    desk = open_desk(tmp_path)
    brief = play(desk, begin_with(desk, [*once, *again]), rounds=6)
    session = SessionStore(tmp_path).read(brief.session)
    assert {session.example(f"x{e.id}").split == session.example(e.id).split for e in once} == {
        True
    }
    report = finish(desk, brief).report
    assert report is not None
    assert report.n_test == 6


def test_too_few_different_inputs_and_one_input_in_two_parts_are_refused(tmp_path: Path) -> None:
    same = [Example(id=f"e{k}", input="the same", expected="beta") for k in range(30)]
    with pytest.raises(InvalidInputError, match="30 with 1 different inputs"):
        begin_with(open_desk(tmp_path), same)
    parted = examples(40)
    parted[0] = parted[0].model_copy(update={"split": "train"})
    parted[1] = parted[1].model_copy(update={"split": "test", "input": parted[0].input})
    with pytest.raises(InvalidInputError, match="'e1' is in train and in test"):
        begin_with(open_desk(tmp_path), parted)


def test_a_gain_of_too_few_examples_says_how_many_it_takes(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    brief = begin(desk, n=17, checks=[])

    def scored(brief: Brief) -> list[Answer]:
        return [
            Answer(
                candidate=need.candidate, example=e, score=0.5 if need.candidate == "c0" else 0.7
            )
            for need in brief.needs
            for e in need.examples
        ]

    brief = desk.submit(brief.session, answers=scored(brief))
    assert brief.parent is not None
    given = [Answer(example=e, score=0.7) for e in brief.parent.examples]
    new = Proposal(text=f"{SEED_PROMPT} Be kind.", answers=given)
    brief = desk.submit(brief.session, proposals=[new])
    brief = desk.submit(brief.session, answers=scored(brief))
    brief = desk.submit(brief.session, finish=True)
    report = desk.submit(brief.session, answers=scored(brief)).report
    assert report is not None
    assert not report.is_confirmed
    assert "Gains like these take about 21 test examples to confirm." in report.summary


def test_outputs_that_are_not_waited_for_or_change_are_refused(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    brief = begin(desk)
    given = answers(brief)
    desk.submit(brief.session, answers=given)
    assert desk.submit(brief.session, answers=given).stage == "propose"  # the same again
    with pytest.raises(ConflictError, match="another output was handed in before"):
        desk.submit(brief.session, answers=[given[0].model_copy(update={"output": "beta"})])
    hidden = SessionStore(tmp_path).read(brief.session).ids("test")[0]
    with pytest.raises(InvalidInputError, match="is not waited for at stage 'propose'"):
        desk.submit(brief.session, answers=[Answer(candidate="c0", example=hidden, output="x")])
    begun = begin(desk)
    scored = Answer(example=next(iter(begun.needs[0].examples)), score=1)
    with pytest.raises(InvalidInputError, match="judged by checks: hand in 'output'"):
        desk.submit(begun.session, answers=[scored])


def test_a_session_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No session 'gp-none'"):
        open_desk(tmp_path).brief("gp-none")


def test_beyond_those_kept_the_oldest_is_dropped_unless_somebody_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_KEPT", 1)
    desk, folder = open_desk(tmp_path), tmp_path / "prompt_sessions"
    old = begin(desk).session
    os.utime(folder / f"{old}.json", (0, 0))
    with exclusive(folder / f"{old}.json", doing="testing"):
        second = begin(desk).session
        assert desk.brief(old).stage == "baseline"
    os.utime(folder / f"{second}.json", (1, 1))
    third = begin(desk).session
    assert {file.name for file in folder.iterdir()} == {f"{third}.json", f"{third}.json.lock"}


def test_a_session_dropped_by_another_process_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(tmp_path)
    begin(desk)
    gone = tmp_path / "prompt_sessions" / "gp-gone.json"
    files = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*files(self, pattern), gone])
    assert begin(desk).stage == "baseline"

"""What was handed in: scored, checked against the constraints, accepted or not."""

from collections.abc import Sequence

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.optimization.copying import copied_answers, copied_passage, estimated_tokens
from ml_orchestrator.optimization.reflective.checks import Scored, score_outputs
from ml_orchestrator.optimization.reflective.models import Answer, Example, Proposal
from ml_orchestrator.optimization.reflective.session import Candidate, Result, Session
from ml_orchestrator.optimization.reflective.turn import Turn, pool_of, turn_of
from ml_orchestrator.text.prompt_parts import split_prompt

__all__ = ["take_answers", "take_proposals"]

MOST_CANDIDATES = 200


def take_answers(session: Session, answers: Sequence[Answer]) -> None:
    """Score the outputs that are waited for and keep them; the same again changes nothing.

    Raises:
        InvalidInputError: one is not waited for, or has neither what its checks nor what a score
            needs.
        ConflictError: another output was handed in for it before.
    """
    turn = turn_of(session)
    new: list[tuple[Candidate, Answer]] = []
    for answer in answers:
        candidate = _meant(session, turn, answer)
        known = candidate.results.get(answer.example)
        if known is None:
            _require_waited(turn, candidate, answer)
            new.append((candidate, answer))
        elif (known.output, answer.score) not in (
            (answer.output, None),
            (answer.output, known.score),
        ):
            raise ConflictError(
                f"For {candidate.id} on {answer.example} another output was handed in before; the "
                "first counts. Hand in what lacks only."
            )
    for (candidate, answer), scored in zip(
        new, _scored(session, [answer for _, answer in new]), strict=True
    ):
        candidate.results[answer.example] = _result(answer, scored)
    _settle(session)


def take_proposals(session: Session, proposals: Sequence[Proposal]) -> None:
    """Judge new candidates on the minibatch of the round; each then waits, or is out.

    Raises:
        InvalidInputError: it is not their turn, answers lack or are too many, or the budget cannot
            see them all through.
    """
    turn = turn_of(session)
    if turn.stage != "propose" or turn.parent is None:
        raise InvalidInputError(
            f"No candidates are taken at stage {turn.stage!r}; prompt_propose says what is next."
        )
    if len(proposals) > turn.most_proposals:
        raise InvalidInputError(
            f"The rest of the budget can see {turn.most_proposals} candidates through a full "
            f"validation; {len(proposals)} were handed in. Hand in the best."
        )
    if len(session.candidates) + len(proposals) > MOST_CANDIDATES:
        raise InvalidInputError(f"A session takes {MOST_CANDIDATES} candidates; finish this one.")
    for proposal in proposals:
        _require_batch(turn, proposal)
    for proposal in proposals:
        session.candidates.append(_judged(session, turn, proposal))
    session.round = turn.round + 1
    _settle(session)


def _meant(session: Session, turn: Turn, answer: Answer) -> Candidate:
    if answer.candidate:
        return session.candidate(answer.candidate)
    if len(turn.lacks) == 1:
        return turn.lacks[0][0]
    waited = ", ".join(candidate.id for candidate, _ in turn.lacks) or "none"
    raise InvalidInputError(
        f"Say whose output it is for {answer.example}: candidates that are waited for: {waited}."
    )


def _require_waited(turn: Turn, candidate: Candidate, answer: Answer) -> None:
    for waited, ids in turn.lacks:
        if waited.id == candidate.id and answer.example in ids:
            return
    shown = "; ".join(f"{c.id} on {', '.join(ids[:20])}" for c, ids in turn.lacks) or "nothing"
    raise InvalidInputError(
        f"{candidate.id} on {answer.example} is not waited for at stage {turn.stage!r}; what is: "
        f"{shown}."
    )


def _require_batch(turn: Turn, proposal: Proposal) -> None:
    given = [answer.example for answer in proposal.answers]
    allowed = {*turn.minibatch, *turn.session.ids("validation")}
    lacks = sorted(set(turn.minibatch) - set(given))
    odd = sorted({each for each in given if each not in allowed or given.count(each) > 1})
    if lacks or odd:
        raise InvalidInputError(
            f"A candidate needs one answer for each of {', '.join(turn.minibatch)} (those of "
            f"validation may come along); lacking: {', '.join(lacks) or 'none'}; twice or not "
            f"asked for: {', '.join(odd[:20]) or 'none'}."
        )


def _judged(session: Session, turn: Turn, proposal: Proposal) -> Candidate:
    parent, batch = turn.parent, turn.minibatch
    pool = pool_of(session)
    assert parent is not None and pool is not None  # noqa: PT018 so says the stage
    candidate = Candidate(id=f"c{len(session.candidates)}", text=proposal.text, parent=parent.id)
    if why := _refusal(session, proposal.text):
        return candidate.model_copy(update={"state": "refused", "reason": why})
    scored = _scored(session, proposal.answers)
    for answer, each in zip(proposal.answers, scored, strict=True):
        candidate.results[answer.example] = _result(answer, each)
    before, after = parent.scores(batch), candidate.scores(batch)
    totals = f"{sum(after.values()):.2f} against {sum(before.values()):.2f} of {parent.id}"
    if pool.accepts(list(before.values()), list(after.values())):
        candidate.reason = f"Better on its minibatch: {totals}."
    else:
        candidate.state, candidate.reason = "rejected", f"Not better on its minibatch: {totals}."
    return candidate


def _refusal(session: Session, text: str) -> str:
    """Return why a wording cannot be a candidate, or an empty text."""
    tokens = estimated_tokens(text)
    if tokens > session.max_tokens:
        return f"It has about {tokens} tokens; at most {session.max_tokens} are allowed."
    if same := [c.id for c in session.candidates if c.text.split() == text.split()]:
        return f"It is the same as {same[0]}."
    kept = split_prompt(text).texts("placeholder")
    if lost := [each for each in session.keep if each not in kept]:
        return f"It lost {', '.join(lost)}."
    sources = [part for e in session.examples for part in (e.input, e.expected or "")]
    if copied := copied_passage(text, sources, allowed=session.candidates[0].text):
        return f"It repeats an example word for word: '{copied[:100]}'."
    if told := copied_answers(text, _answers(session), allowed=session.candidates[0].text):
        return (
            f"It tells the answers of {len(told)} examples: {', '.join(told[:5])[:100]}. State how "
            "an answer is found, not the answers."
        )
    return ""


def _answers(session: Session) -> list[str]:
    """Return what is expected of each different input."""
    found = {
        (" ".join(example.input.casefold().split()), answer)
        for example in session.examples
        for answer in _expected(example)
    }
    return [answer for _, answer in sorted(found)]


def _expected(example: Example) -> set[str]:
    """Return what an output must be or hold by the example itself."""
    own = {c.value for c in example.checks or () if c.kind in ("exact", "contains")}
    return {each for each in (*own, example.expected) if isinstance(each, str)}


def _settle(session: Session) -> None:
    """Put candidates whose validation is complete into the pool."""
    for candidate in session.candidates:
        if candidate.state == "waiting" and not candidate.lacks(session.ids("validation")):
            candidate.state = "pool"


def _scored(session: Session, answers: Sequence[Answer]) -> list[Scored]:
    tasks, at = [], []
    found: list[Scored] = [(0.0, [])] * len(answers)
    for place, answer in enumerate(answers):
        example = session.example(answer.example)
        checks = session.checks_of(example)
        _require_form(answer, has_checks=bool(checks))
        if answer.score is not None:
            failed = [] if answer.score == 1 else [f"your score is {answer.score:g}"]
            found[place] = (answer.score, failed)
        else:
            tasks.append((answer.output or "", example.expected, checks))
            at.append(place)
    for place, scored in zip(at, score_outputs(tasks), strict=True):
        found[place] = scored
    return found


def _require_form(answer: Answer, *, has_checks: bool) -> None:
    if has_checks and (answer.output is None or answer.score is not None):
        raise InvalidInputError(
            f"Example {answer.example} is judged by checks: hand in 'output', and no 'score'."
        )
    if not has_checks and answer.score is None:
        raise InvalidInputError(
            f"Example {answer.example} has no checks: hand in your own 'score' of 0 to 1."
        )


def _result(answer: Answer, scored: Scored) -> Result:
    return Result(score=scored[0], output=answer.output, failed=scored[1])

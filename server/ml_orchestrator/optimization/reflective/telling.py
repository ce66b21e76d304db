"""What a session tells: its brief, and at its end the report."""

from collections.abc import Sequence

from ml_orchestrator.numerics.paired_gain import MOST_NEEDED, paired_gain, pairs_needed
from ml_orchestrator.optimization.copying import estimated_tokens
from ml_orchestrator.optimization.reflective.models import (
    Brief,
    CandidateView,
    Constraints,
    Judged,
    Need,
    Report,
    Stage,
)
from ml_orchestrator.optimization.reflective.session import Candidate, Session
from ml_orchestrator.optimization.reflective.turn import Turn, pool_of, turn_of

__all__ = ["brief_of", "report_of"]

ALPHA = 0.05
SHOWN = 20
SHOWN_CHARACTERS = 1_500
_CALLERS_WORD = " Scores were given by the caller and are its word: nothing here checked them."
TODO: dict[Stage, str] = {
    "baseline": "Run the prompt of 'needs' on each input and hand the outputs in as answers.",
    "measure": "Run the prompt of 'needs' on each input and hand the outputs in as answers.",
    "propose": "See in 'judged' why the parent fails. Write one or more new wordings of its text "
    "that fix the cause, not the case; run each on the parent's examples; hand them in as "
    "candidates with their answers.",
    "validate": "Better on its minibatch. Run it on the validation inputs of 'needs' and hand the "
    "outputs in as answers.",
    "exhausted": "The budget is used, or training examples leave nothing to better. Call "
    "prompt_submit with finish.",
    "test": "Run the prompts of 'needs' on the test inputs and hand the outputs in as answers; "
    "nothing can be changed any more.",
    "finished": "Done: see 'report'.",
}


def brief_of(session: Session) -> Brief:
    """Return where a session stands and what is next."""
    turn, pool = turn_of(session), pool_of(session)
    members = session.pool
    splits = ("train", "validation", "test")
    return Brief(
        session=session.id,
        stage=turn.stage,
        todo=TODO[turn.stage],
        needs=[_need(session, candidate, ids) for candidate, ids in turn.lacks],
        parent=_need(session, turn.parent, turn.minibatch) if turn.parent else None,
        judged=_judged(turn),
        constraints=Constraints(max_tokens=session.max_tokens, keep=session.keep),
        candidates=[_view(session, c) for c in reversed(session.candidates[-SHOWN:])],
        best=None if pool is None else members[pool.best].id,
        front=[] if pool is None else [members[place].id for place in pool.front],
        n_scored=session.n_scored,
        budget=session.budget,
        sizes={split: len(session.ids(split)) for split in splits},  # type: ignore[arg-type]
        report=session.report,
        registered=session.registered,
    )


def report_of(session: Session) -> Report:
    """Return what came of a session whose test outputs are complete."""
    pool = pool_of(session)
    first, test = session.candidates[0], session.ids("test")
    best = first if pool is None else session.pool[pool.best]
    before, after = first.scores(test), best.scores(test)
    gains = [
        sum(after[e] - before[e] for e in same) / len(same) for same in session.by_input("test")
    ]  # of one input once: its examples are no evidence of their own
    found = paired_gain(gains, alpha=ALPHA, seed=session.seed)
    is_new = best.id != first.id
    is_checked = all(session.checks_of(session.example(each)) for each in test)
    is_confirmed = is_new and found.low > 0 and found.p_value < ALPHA
    numbers = f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f}) on {found.n} examples"
    said = {
        (True, True): f"{best.id} is better than the prompt as given: {numbers}.",
        (True, False): f"No gain of {best.id} is confirmed: {numbers}."
        f"{_wanted(gains)} Keep the prompt as given.",
    }
    return Report(
        best=best.id,
        text=best.text,
        gain=found.mean if is_new else None,
        low=found.low if is_new else None,
        high=found.high if is_new else None,
        p_value=found.p_value if is_new else None,
        n_test=found.n,
        is_confirmed=is_confirmed,
        train_gain=_gain(first, best, session.ids("train")),
        validation_gain=_gain(first, best, session.ids("validation")),
        tokens_added=estimated_tokens(best.text) - estimated_tokens(first.text),
        scored_by="checks" if is_checked else "caller",
        summary=said.get((is_new, is_confirmed), "No candidate did better on validation.")
        + ("" if is_checked else _CALLERS_WORD),
    )


def _wanted(gains: Sequence[float]) -> str:
    """Return how many test examples would confirm gains like these, as a sentence; or nothing."""
    if sum(gains) <= 0:
        return ""
    needed = pairs_needed(gains, alpha=ALPHA)
    told = f"more than {MOST_NEEDED}" if needed is None else f"about {needed}"
    return f" Gains like these take {told} test examples to confirm."


def _gain(first: Candidate, best: Candidate, ids: list[str]) -> float | None:
    """Return the mean gain on those of ``ids`` that both were run on."""
    both = [e for e in ids if e in first.results and e in best.results]
    if not both:
        return None
    return sum(best.results[e].score - first.results[e].score for e in both) / len(both)


def _need(session: Session, candidate: Candidate, ids: Sequence[str]) -> Need:
    inputs = {each: session.example(each).input for each in ids}
    return Need(candidate=candidate.id, text=candidate.text, examples=inputs)


def _judged(turn: Turn) -> list[Judged]:
    if turn.parent is None:
        return []
    found = []
    for id_ in turn.minibatch:
        example, result = turn.session.example(id_), turn.parent.results[id_]
        found.append(
            Judged(
                example=id_,
                input=example.input[:SHOWN_CHARACTERS],
                output=result.output and result.output[:SHOWN_CHARACTERS],
                expected=example.expected and example.expected[:SHOWN_CHARACTERS],
                score=result.score,
                failed=result.failed,
            )
        )
    return sorted(found, key=lambda judged: judged.score)


def _view(session: Session, candidate: Candidate) -> CandidateView:
    train, validation = (candidate.mean(session.ids(s)) for s in ("train", "validation"))
    has_both = train is not None and validation is not None
    return CandidateView(
        id=candidate.id,
        parent=candidate.parent,
        state=candidate.state,
        reason=candidate.reason,
        tokens=estimated_tokens(candidate.text),
        train_score=train,
        validation_score=validation,
        gap=round(train - validation, 4) if has_both else None,  # type: ignore[operator]
    )

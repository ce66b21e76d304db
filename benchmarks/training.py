"""Our training beside others, for the same wall-clock time on one core.

Sets: real tables that ship with scikit-learn and statsmodels (at most 1,000 rows, three in time
order, one with groups) and generated ones of known best score. For each set and seed, all get the
same training rows and are judged on the same held-out rows; ours and the plain searches use the
same folds. The process is bound to one core.

Excess is how much lower the score (R2 or ROC AUC, losses above 1 count as 1) is than the best one
on that set and seed. Ranks are averaged over sets and seeds; ties share their rank. Differences to
each other contender are paired by set, with a 95 % bootstrap interval over sets. Counted are the
sets where ours is worse than the best of the defaults beyond noise (90 % interval, held-out rows
drawn anew). A contender that fails counts as what predicts the mean or the class shares.

``--no-refine`` asks one contender more, "ours, one model": the same training with
``refine: false``, which hands over the best trial alone (docs/decisions/0029). Its loss less ours
is what averages, calibrations and thresholds are worth, for the same time.

All of it takes hours, so it can run in parts: ``--keep FILE`` writes each answer down and asks
nothing again that the file holds, ``--sets``, ``--contenders``, ``--seed``, ``--seeds`` and
``--budget`` choose a part and ``--core`` where it runs; ``--show FILE ...`` asks nobody and prints
the table of what several files hold.
"""

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from _contenders import CONTENDERS, Contender, Question, constant, contenders, question
from _cores import bind_to_core
from _known_tables import known_problems
from _real_tables import Problem, real_problems
from _training_answers import AnswerBook, Asked, KeptAnswer, kept
from _training_table import judged, show

from ml_orchestrator.training.metrics import Predictions

REAL = (
    "breast_cancer",
    "diabetes",
    "anes96, vote",
    "fair, any",
    "randhie",
    "modechoice",  # groups
    "star98",
    "ccard",
    "macrodata",  # in time order, as the next two
    "sunspots",
    "co2",
)
ONE_MODEL = "ours, one model"
QUICK = ("diabetes", "modechoice", "sunspots", "interactions")


def main() -> None:
    """Ask everybody everything, in turns, and print."""
    options = _options()
    warnings.simplefilter("ignore")
    known = {problem.name: best for problem, best in known_problems()}
    problems = {p.name: p for p in real_problems() if p.name in REAL}
    problems |= {problem.name: problem for problem, _ in known_problems()}
    if options.show:
        book = AnswerBook(options.show)
    else:
        book = AnswerBook(file=options.keep)
        _ask_all(options, book, problems, known)
    for budget_s in book.budgets:
        show(book, problems, (*CONTENDERS, ONE_MODEL), budget_s, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four sets, one seed, 5 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--budget", type=float, nargs="+", default=[30.0, 60.0], help="in s")
    parser.add_argument("--sets", nargs="+", help="names of sets; all if left out")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--no-refine", action="store_true", help=f"ask {ONE_MODEL!r}, too")
    parser.add_argument("--core", type=int, help="to bind to; the first that is free to use")
    parser.add_argument("--keep", type=Path, help="file of answers: read, and written to")
    parser.add_argument("--show", type=Path, nargs="+", help="files of answers: the table alone")
    options = parser.parse_args()
    if options.quick:
        options.sets, options.seeds, options.budget = QUICK, 1, [5.0]
    return options


def _ask_all(
    options: argparse.Namespace,
    book: AnswerBook,
    problems: Mapping[str, Problem],
    known: Mapping[str, float],
) -> None:
    bind_to_core(options.core)
    if unknown := set(options.sets or ()) - set(problems):
        sys.exit(f"No set {', '.join(sorted(unknown))}; known: {', '.join(problems)}.")
    running = contenders(options.contenders)
    if options.no_refine:
        running[ONE_MODEL] = _one_model
    for budget_s in options.budget:
        for seed in range(options.seed, options.seed + options.seeds):
            for name in options.sets or problems:
                asked = question(problems[name], budget_s=budget_s, seed=seed)
                _ask_each(asked, running, book, known.get(name))


def _ask_each(
    asked: Question, running: Mapping[str, Contender], book: AnswerBook, best: float | None
) -> None:
    name, budget_s, seed = asked.problem.name, asked.spec.timeout_s, asked.spec.seed
    said = []
    for who, contender in running.items():
        key = Asked(budget_s, name, seed, who)
        if key in book:
            continue
        answer = _ask(asked, who, contender)
        book.add(key, answer)
        said.append(f"{who} {judged(asked, answer).loss:.4f} in {answer.seconds:.1f} s")
    if said:
        possible = "" if best is None else f" (best possible {1 - best:.4f})"
        print(
            f"{name}, seed {seed}, {budget_s:g} s: loss{possible}: {', '.join(said)}",
            file=sys.stderr,
        )


def _one_model(asked: Question) -> Predictions:
    """Return what ours says without refinements: the best trial's model, as it is."""
    spec = asked.spec.model_copy(update={"refine": False})
    return contenders(["ours"])["ours"](replace(asked, spec=spec))


def _ask(asked: Question, who: str, contender: Contender) -> KeptAnswer:
    began_at, has_failed = time.monotonic(), False
    try:
        given = contender(asked)
    except subprocess.CalledProcessError as error:  # a peer, in a process of its own
        print(f"{who} failed on {asked.problem.name!r}: {error}", file=sys.stderr)
        given, has_failed = constant(asked), True
    return kept(asked, given, time.monotonic() - began_at, has_failed=has_failed)


if __name__ == "__main__":
    main()

"""How much time the choice of families and pruning save, at equal quality (H1).

Measured once for each problem: every family's default and some drawn configurations, each on all
folds, with the processor time of each fold. Then searches are played from that, which differ in
nothing but the rule that chooses families and in whether trials are pruned; each is played
hundreds of times.

Compared is the time until a search is as good as the uniform one is on average after all its
trials, as a ratio to uniform without pruning: 0.5 is half the time. A search that never gets
there is counted with all its time, and with no less than all of the uniform one's. The share of
searches that get there is printed beside. What a training does by default is then held against
successive halving and against uniform, pruned alike. Ratios are geometric means over problems,
with a 95 % bootstrap interval over tables. What is not played: samplers that learn from the
trials of a family, and options of the features.

All of it takes an hour and more, so it can run in parts: ``--keep FILE`` writes down what is
measured of each problem and measures nothing again that the file holds; ``--sets``, ``--seed``
and ``--core`` choose a part and where it runs; ``--show FILE ...`` measures nothing and plays
from what several files hold.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from _cores import bind_to_core
from _figures import show_ratio
from _measured_pools import Key, PoolBook, measured
from _played_searches import Way, charges
from _real_tables import real_problems
from threadpoolctl import threadpool_limits

from ml_orchestrator.training.allocation import ALLOCATIONS
from ml_orchestrator.training.models import TrainingSpec

QUICK = ("wine", "diabetes", "engel")
N_FOLDS = 5
USUAL = Way("uniform", False)
OURS = Way(str(TrainingSpec.model_fields["allocation"].default), True)
RIVALS = (Way("halving", True), Way("uniform", True), Way("halving", False))


def main() -> None:
    """Measure, play and print."""
    options = _options()
    warnings.simplefilter("ignore")
    if options.show:
        book = PoolBook(options.show)
    else:
        book = PoolBook(file=options.keep)
        _measure_all(options, book)
    if not book.found:
        sys.exit("Nothing was measured: the files hold no pool.")
    _play_all(options, book)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three problems, 4 drawn, 60 plays")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=0, help="of folds, models and what is drawn")
    parser.add_argument("--drawn", type=int, default=15, help="configurations of each family")
    parser.add_argument("--trials", type=int, default=30, help="trials of a played search")
    parser.add_argument("--plays", type=int, default=200, help="of each way on each problem")
    parser.add_argument("--sets", nargs="+", help="names of problems; all if left out")
    parser.add_argument("--core", type=int, help="to bind to; the first that is free to use")
    parser.add_argument("--keep", type=Path, help="file of what is measured: read, and written to")
    parser.add_argument("--show", type=Path, nargs="+", help="files to play from; none is measured")
    options = parser.parse_args()
    if options.quick:
        options.drawn, options.plays = 4, 60
        options.sets = options.sets or QUICK
    return options


def _measure_all(options: argparse.Namespace, book: PoolBook) -> None:
    bind_to_core(options.core)
    problems = {problem.name: problem for problem in real_problems()}
    if unknown := set(options.sets or ()) - set(problems):
        sys.exit(f"No problem {', '.join(sorted(unknown))}; known: {', '.join(problems)}.")
    for name in options.sets or problems:
        key = Key(name, options.seed, options.drawn, N_FOLDS)
        if key in book.found:
            continue
        with threadpool_limits(1):
            book.add(key, measured(problems[name], key))
        made = book.found[key]
        runs = [run for runs in made.pool.values() for run in runs]
        took_s = sum(float(run.seconds.sum()) for run in runs)
        print(f"{name}: {len(runs)} configurations in {took_s:.0f} s", file=sys.stderr)


def _play_all(options: argparse.Namespace, book: PoolBook) -> None:
    ways = [Way(rule, prunes) for rule in ALLOCATIONS for prunes in (False, True)]
    found = [
        charges(made.pool, ways, n_trials=options.trials, n_plays=options.plays)
        for made in book.found.values()
    ]
    logs = {way: np.array([each[way][0] for each in found]) for way in ways}
    tables = [made.table for made in book.found.values()]
    for way in ways:
        about = "H1: " if way == OURS else ""
        name = f"{about}seconds to equal quality, {way} / {USUAL}"
        reached = round(float(np.mean([each[way][1] for each in found])), 3)
        ratio = logs[way] - logs[USUAL]
        show_ratio(name, ratio, tables, n=len(found), as_json=options.json, reached=reached)
    for rival in RIVALS:
        name = f"seconds to equal quality, {OURS} / {rival}"
        ratio = logs[OURS] - logs[rival]
        show_ratio(name, ratio, tables, n=len(found), as_json=options.json)
    loads = [made.load for made in book.found.values()]
    print(f"load while measured: {min(loads):.1f} to {max(loads):.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()

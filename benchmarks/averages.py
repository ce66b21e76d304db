"""Whether an average of a search's models does better on held-out rows than the best alone.

Tables are generated (``_average_tables.py``), so that there are thousands of held-out rows (300 or
400 where rows have an order) while a search has a few hundred to learn from. Each is searched once,
as a training does it, counted in trials. Then rules (``_average_rules.py``) choose models and
weights from the same trials: the one that a training has, and others. Their losses on the held-out
rows (1 - score: R2, ROC AUC, or macro F1 for more than two classes) are compared by pairs.

Printed is how much lower or higher the loss of each rule is, in % of the loss of the rule that a
training had before; the mean over searches with its standard error, and that of the means over
tables, since searches of a table are alike. Beside it: how often a rule averages, how many models
it takes, and how long these take to fit, beside the best alone.

Searches take one to seven minutes each, so it can run in parts: ``--keep FILE`` writes down what
came of each and searches nothing again that the file holds; ``--tables``, ``--seed``, ``--seeds``
and ``--trials`` choose a part; ``--show FILE ...`` searches nothing and draws up what several files
hold. Trials are counted, but families are chosen by their times, too, so a search that is repeated
on another machine may take another course.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _average_rules import BEFORE, RULES
from _average_searches import Compared, ComparedBook, Key, compared
from _average_tables import TABLES
from _figures import machine
from threadpoolctl import threadpool_limits

QUICK = ("binary_small", "trend")
NO_MATTER = 0.01  # %: losses that differ by less are neither better nor worse


def main() -> None:
    """Search, compare and print."""
    options = _options()
    warnings.simplefilter("ignore")
    if options.show:
        book = ComparedBook(options.show)
    else:
        book = ComparedBook(file=options.keep)
        _compare_all(options, book)
    if not book.found:
        sys.exit("Nothing was compared: the files hold no search.")
    for rule in RULES:
        _show_rule(rule, book.found, as_json=options.json)
    _show_tables(book.found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two tables, one seed, 12 trials")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--trials", type=int, default=24, help="of each search")
    parser.add_argument("--tables", nargs="+", help="names of tables; all if left out")
    parser.add_argument("--keep", type=Path, help="file of what was found: read, and written to")
    parser.add_argument("--show", type=Path, nargs="+", help="files to show; nothing is searched")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.trials = 1, 12
        options.tables = options.tables or QUICK
    return options


def _compare_all(options: argparse.Namespace, book: ComparedBook) -> None:
    if unknown := set(options.tables or ()) - set(TABLES):
        sys.exit(f"No table {', '.join(sorted(unknown))}; known: {', '.join(TABLES)}.")
    for seed in range(options.seed, options.seed + options.seeds):
        for name in options.tables or TABLES:
            key = Key(name, seed, options.trials)
            if key in book.found:
                continue
            began_at = time.monotonic()
            with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
                book.add(key, compared(key, Path(folder)))
            took_s = time.monotonic() - began_at
            losses = {rule: round(loss, 4) for rule, loss in book.found[key].losses.items()}
            print(f"{name}, seed {seed}, {took_s:.0f} s: loss {losses}", file=sys.stderr)


def _show_rule(rule: str, found: Mapping[Key, Compared], *, as_json: bool) -> None:
    line = _figure(rule, found)
    if as_json:
        print(json.dumps({**line, "machine": machine()}))
        return
    over_tables = _said(line["standard_error_over_tables"])
    print(
        f"{rule:<48} {line['ours']:6.2f} % (standard error {_said(line['standard_error'])}; over "
        f"tables {over_tables}), better {line['n_better']}, worse {line['n_worse']} of "
        f"{line['n']}, worst {line['worst']:.1f} %; averages {line['n_averaged']}, "
        f"{line['models']:.1f} models, fits {line['fit_time_ratio']:.1f} times as long"
    )


def _figure(rule: str, found: Mapping[Key, Compared]) -> dict[str, Any]:
    percent = _percent(rule, found)
    values, by_table = list(percent.values()), list(_by_table(percent).values())
    sizes = [each.n_models[rule] for each in found.values()]
    return {
        "figure": f"held-out loss, {rule}",
        "unit": "% more than by the rule before",
        "ours": float(np.mean(values)),
        "standard_error": _standard_error(values),
        "standard_error_over_tables": _standard_error(by_table),
        "worst": max(values),
        "n_better": sum(value < -NO_MATTER for value in values),
        "n_worse": sum(value > NO_MATTER for value in values),
        "n": len(values),
        "n_tables": len(by_table),
        "n_averaged": sum(size > 1 for size in sizes),
        "models": float(np.mean(sizes)),
        "fit_time_ratio": float(np.median([each.fit_ratio[rule] for each in found.values()])),
    }


def _show_tables(found: Mapping[Key, Compared]) -> None:
    means = _by_table(_percent(RULES[0], found))
    said = ", ".join(f"{name} {mean:.1f}" for name, mean in means.items())
    loads = [each.load for each in found.values()]
    print(f"ours by table, %: {said}", file=sys.stderr)
    print(f"load while searched: {min(loads):.1f} to {max(loads):.1f}", file=sys.stderr)


def _percent(rule: str, found: Mapping[Key, Compared]) -> dict[Key, float]:
    return {key: 100 * (each.losses[rule] / each.losses[BEFORE] - 1) for key, each in found.items()}


def _by_table(percent: Mapping[Key, float]) -> dict[str, float]:
    names = sorted({key.table for key in percent})
    return {
        name: float(np.mean([value for key, value in percent.items() if key.table == name]))
        for name in names
    }


def _standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean; None of a single value."""
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None


def _said(standard_error: float | None) -> str:
    return "unknown of one" if standard_error is None else f"{standard_error:.2f}"


if __name__ == "__main__":
    main()

"""How well the domain model does on prompts it was not made from: ``held_out_prompts.tsv``.

Run ``python -m tests.analysis.measure_domains``. The prompts were written after the examples in
``bin/domain_model`` and before the model was first tried on them, by the same author.
"""

from collections import Counter
from dataclasses import dataclass
from math import log
from pathlib import Path

from ml_orchestrator.analysis.domain import DOMAINS, DomainModel, domain_model, term_counts
from ml_orchestrator.numerics.wilson import wilson_interval
from ml_orchestrator.text.phrases import tokens_of

__all__ = ["Measured", "held_out", "measure"]

HELD_OUT = Path(__file__).with_name("held_out_prompts.tsv")
_N_BINS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """``gaps`` gives, for each fifth of the probabilities, mean probability, accuracy and n."""

    n: int
    accuracy: float
    top_two: float
    log_loss: float
    calibration_error: float
    gaps: tuple[tuple[float, float, int], ...]
    confused: tuple[tuple[tuple[str, str], int], ...]


def held_out() -> list[tuple[str, str]]:
    """Return pairs of domain and prompt."""
    lines = HELD_OUT.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines]
    return [(domain, prompt) for domain, prompt in pairs]


def measure(model: DomainModel) -> Measured:
    """Return accuracy, log loss in nats and expected calibration error over five bins."""
    rows = [
        (domain, model.probabilities(term_counts(tokens_of(prompt))))
        for domain, prompt in held_out()
    ]
    ranked = [(domain, sorted(found, key=lambda name: -found[name])) for domain, found in rows]
    bins = _bins([(max(found.values()), max(found, key=found.__getitem__) == domain)
                  for domain, found in rows])  # fmt: skip
    n = len(rows)
    return Measured(
        n=n,
        accuracy=sum(domain == names[0] for domain, names in ranked) / n,
        top_two=sum(domain in names[:2] for domain, names in ranked) / n,
        log_loss=sum(-log(found[domain]) for domain, found in rows) / n,
        calibration_error=sum(size * abs(sure - right) for sure, right, size in bins) / n,
        gaps=bins,
        confused=tuple(
            Counter((d, names[0]) for d, names in ranked if d != names[0]).most_common(8)
        ),
    )


def _bins(pairs: list[tuple[float, bool]]) -> tuple[tuple[float, float, int], ...]:
    found = []
    for number in range(_N_BINS):
        inside = [p for p in pairs if min(int(p[0] * _N_BINS), _N_BINS - 1) == number]
        if inside:
            size = len(inside)
            sure, right = sum(p for p, _ in inside) / size, sum(ok for _, ok in inside) / size
            found.append((sure, right, size))
    return tuple(found)


def main() -> None:
    """Print what was measured."""
    found = measure(domain_model())
    print(f"n {found.n}, {len(DOMAINS)} domains; by chance: accuracy .1, log loss {log(10):.2f}")
    interval = wilson_interval(round(found.accuracy * found.n), found.n)
    print(f"accuracy {found.accuracy:.3f} {interval}; among the first two {found.top_two:.3f}")
    print(f"log loss {found.log_loss:.3f} nats; calibration error {found.calibration_error:.3f}")
    for sure, right, size in found.gaps:
        print(f"  said {sure:.2f}, right {right:.2f} (n = {size})")
    for (domain, said), times in found.confused:
        print(f"  {domain} taken for {said}: {times}")


if __name__ == "__main__":
    main()

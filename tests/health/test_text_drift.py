"""Drift of columns of text: a planted change is found and named, none is not."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from ml_orchestrator.health.drift.texts import reads_as_text
from ml_orchestrator.health.models import ColumnDrift
from ml_orchestrator.health.over_time import drift_over_time
from ml_orchestrator.health.page import drift_page
from ml_orchestrator.health.plots import drift_plot
from ml_orchestrator.health.report import check_drift

Texts = NDArray[Any]
COMMON = [f"common{i}" for i in range(60)]
THEMES = {
    "delivery": ["parcel", "courier", "late", "address", "doorstep", "tracking", "depot"],
    "payment": ["invoice", "card", "refund", "charged", "bank", "receipt", "fee"],
    "login": ["password", "account", "locked", "email", "reset", "screen", "browser"],
}
RARE = [f"rare{i}" for i in range(4_000)]


def _texts(
    seed: int, n: int, *, themes: Sequence[float] = (0.5, 0.4, 0.1), length: float = 12
) -> Texts:
    """Each text is of one theme; half of its words are the theme's, one in ten is rare."""
    rng = np.random.default_rng(seed)
    names = rng.choice(list(THEMES), n, p=themes)
    found = np.empty(n, dtype=object)
    for i, name in enumerate(names):
        size = 3 + rng.poisson(length)
        kinds = rng.choice(3, size, p=[0.5, 0.4, 0.1])
        pools = (THEMES[name], COMMON, RARE)
        found[i] = " ".join(str(rng.choice(pools[kind])) for kind in kinds)
    return found


def _check(reference: Texts, current: Texts, **options: Any) -> ColumnDrift:
    return check_drift({"note": reference}, {"note": current}, **options).columns[0]


def test_a_planted_change_of_topic_is_found_and_named() -> None:
    found = _check(_texts(1, 400), _texts(2, 300, themes=(0.2, 0.3, 0.5)))

    assert (found.kind, found.test, found.is_drifted) == ("text", "text", True)
    assert found.text is not None
    assert {"password", "account"} <= {word.word for word in found.text.came}
    assert "parcel" in {word.word for word in found.text.went}
    p_values = {aspect.aspect: aspect.p_value for aspect in found.text.aspects}
    assert p_values["topics"] == 1e-4  # the least that 9,999 divisions give
    largest = found.text.topics[0]
    rises = largest.current_share > largest.reference_share
    assert set(largest.words) <= set(THEMES["login" if rises else "delivery"])
    assert p_values["language"] > 0.05


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        (lambda text: f"{text} {' '.join(text.split()[:6])}", "length"),
        (lambda text: f"{text} brandnew", "single_words"),
        (lambda text: text.upper(), "characters"),
        (lambda text: f"der die und ist nicht {text}", "language"),
    ],
)
def test_each_planted_change_is_clearest_in_its_aspect(change: Any, aspect: str) -> None:
    now = _texts(2, 300)
    now[:] = [change(text) for text in now]

    found = _check(_texts(1, 400), now)

    assert found.is_drifted
    assert found.text is not None
    smallest = found.text.aspects[0].p_value
    by_name = {each.aspect: each.p_value for each in found.text.aspects}
    assert by_name[aspect] <= max(smallest, 1e-4)  # type: ignore[index]


def test_new_words_are_held_against_what_a_fresh_sample_has() -> None:
    """A tenth of the words are rare: many are unseen in any fresh sample, and that is no drift."""
    same, other = _texts(2, 300), _texts(2, 300)
    rng = np.random.default_rng(3)
    other[:] = [f"{text} novel{rng.integers(100_000)}" for text in other]

    calm, moved = (_check(_texts(1, 400), now).text for now in (same, other))

    assert calm is not None
    assert moved is not None
    before = next(a for a in calm.aspects if a.aspect == "unseen_words")
    after = next(a for a in moved.aspects if a.aspect == "unseen_words")
    assert before.expected is not None
    assert before.statistic > 0.02
    assert abs(before.statistic - before.expected) < 0.01
    assert (before.p_value > 0.01, after.p_value <= 1e-4) == (True, True)


def test_texts_of_one_source_drift_at_most_at_the_nominal_rate() -> None:
    n_seeds, n_alarms = 30, 0
    n_small: Counter[str] = Counter()
    p_values: dict[str, list[float]] = defaultdict(list)
    for seed in range(n_seeds):
        found = _check(_texts(2 * seed, 80), _texts(2 * seed + 1, 70))
        assert found.text is not None
        n_alarms += found.is_drifted
        n_small.update(a.aspect for a in found.text.aspects if a.p_value <= 0.1)
        for aspect in found.text.aspects:
            p_values[aspect.aspect].append(aspect.p_value)
    # Bonferroni over the aspects: the rate is at most 5 %; that of each aspect alone at 0.1 at
    # most 10 %. The bounds hold all but 0.1 % of these binomials' mass.
    assert n_alarms <= binom.ppf(0.999, n_seeds, 0.05)
    assert max(n_small.values()) <= binom.ppf(0.999, n_seeds, 0.1)
    # A p value that is never too small has a mean of 1/2 at least; that of 30 has a deviation of
    # 0.053 about it. P values of half the right size, which the counts above let pass, are below.
    assert min(map(np.mean, p_values.values())) > 0.5 - 3.1 * (1 / 12 / n_seeds) ** 0.5


def test_names_codes_and_categories_are_no_text() -> None:
    assert reads_as_text(_texts(1, 100).tolist())
    assert not reads_as_text(["a", "b", "c"] * 100)
    assert not reads_as_text([f"user-{i}" for i in range(200)])
    assert not reads_as_text(["the same few words"] * 200)
    assert not reads_as_text(_texts(1, 20).tolist())


def test_columns_of_text_are_corrected_with_all_others() -> None:
    rng = np.random.default_rng(0)
    numbers = {f"x{i}": rng.normal(size=200) for i in range(9)}
    later = {f"x{i}": rng.normal(size=200) for i in range(9)}
    report = check_drift(
        {**numbers, "note": _texts(1, 200)},
        {**later, "note": _texts(2, 200, themes=(0.2, 0.2, 0.6))},
    )
    note = next(column for column in report.columns if column.column == "note")
    assert report.drifted_columns == ("note",)
    assert note.p_value is not None
    assert note.p_value_adjusted == pytest.approx(10 * note.p_value)


def test_meaning_is_compared_where_texts_can_be_embedded() -> None:
    places = {word: i for i, words in enumerate(THEMES.values()) for word in words}

    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        rows = np.zeros((len(texts), 3))
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                if word in places:
                    row[places[word]] += 1
        unit: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
        return unit

    calm = _check(_texts(1, 150), _texts(2, 150), embed=embed)
    moved = _check(_texts(1, 150), _texts(2, 150, themes=(0.1, 0.1, 0.8)), embed=embed)

    p_values = [
        next(a.p_value for a in found.text.aspects if a.aspect == "meaning")
        for found in (calm, moved)
        if found.text is not None
    ]
    assert p_values[0] > 0.05
    assert p_values[1] == 1 / 5_000


def test_texts_are_dated_by_chunk_drawn_and_written() -> None:
    reference = {"note": _texts(1, 200)}
    now = {"note": np.concatenate([_texts(2, 100), _texts(3, 100, themes=(0.1, 0.1, 0.8))])}

    report = check_drift(reference, now)
    dated = drift_over_time(reference, now, tests={"note": "text"}, chunk="100rows")

    assert dated.columns_since == {"note": "101"}
    assert drift_plot(report, reference, now).startswith(b"\x89PNG")
    page = drift_page(report, [], title="t")
    assert "<h2>Text of note</h2>" in page
    assert "Words that came and went" in page


def test_texts_in_letters_without_spaces_have_words_too() -> None:
    rng = np.random.default_rng(0)
    letters, others = list("天地玄黄宇宙洪荒日月盈昃"), list("辰宿列张寒来暑往秋收冬藏")
    before, same, now = (
        np.array(["".join(rng.choice(pool, 12)) for _ in range(150)], dtype=object)
        for pool in (letters, letters, others)
    )
    assert not _check(before, same, tests="text").is_drifted
    found = _check(before, now, tests="text")
    assert found.text is not None
    assert {word.word for word in found.text.went} <= set(letters)
    assert found.is_drifted

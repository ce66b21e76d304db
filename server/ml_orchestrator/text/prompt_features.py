"""What a prompt looks like in numbers: length, readability, ambiguity, and which parts it has.

Standard library alone, one pass over the words: a hook computes the same numbers as the server.
Cues are English; in other languages the numbers of length and structure still hold.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from ml_orchestrator.text.code_names import count_code_names
from ml_orchestrator.text.languages import guess_language
from ml_orchestrator.text.pasted import pasted_in
from ml_orchestrator.text.phrases import Hit, Token
from ml_orchestrator.text.prompt_cues import TASK_VERBS, cue_phrases
from ml_orchestrator.text.prompt_parts import PromptParts

__all__ = ["TEXT_FEATURES", "text_features"]

# In this order, always; a new feature is added at the end.
TEXT_FEATURES = (
    "n_characters",
    "n_words",
    "n_sentences",
    "n_lines",
    "mean_sentence_words",
    "longest_sentence_words",
    "readability_grade",
    "long_word_share",
    "lexical_variety",
    "n_vague",
    "vague_share",
    "n_hedges",
    "n_fillers",
    "is_polite",
    "opens_with_reference",
    "n_task_verbs",
    "has_task_verb",
    "n_questions",
    "has_role",
    "has_context",
    "has_audience",
    "has_output_format",
    "has_length_limit",
    "has_tone",
    "n_constraints",
    "n_negations",
    "n_examples",
    "has_success_criteria",
    "has_steps",
    "has_uncertainty",
    "n_reasoning",
    "is_creative",
    "is_factual",
    "n_headings",
    "n_labels",
    "n_list_items",
    "n_elements",
    "n_fences",
    "n_inline_code",
    "n_placeholders",
    "n_quotes",
    "n_urls",
    "n_numbers",
    "code_share",
    "quoted_share",
    "refers_to_data",
    "has_bare_data",
    "question_at_end",
    "uppercase_share",
    "n_exclamations",
    "structure",
    "n_missing",
    "is_english",
    "n_code_names",
)

LONG_WORD_LETTERS = 7
_VARIETY_WORDS = 200  # a longer text repeats words because it is long
_MAX_GRADE = 30.0
_OPENING = frozenset({"it", "this", "that", "these", "those", "them", "they", "he", "she"})
_BEFORE_VERB = frozenset(
    {"please", "kindly", "can", "could", "would", "will", "you", "now", "then", "next", "first",
     "finally", "also", "and", "second", "third", "lastly", "help", "me", "to", "let", "us", "s"}
)  # fmt: skip
_MAX_BEFORE_VERB = 5
_LENGTH = re.compile(
    r"\b\d{1,6}(?:\s{0,2}(?:-|–|to)\s{0,2}\d{1,6})?[\s-]{1,2}"
    r"(?:words?|sentences?|paragraphs?|pages?|characters?|lines?|bullets?|tokens?)\b",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")
_COMPONENTS = (
    "has_task_verb", "has_context", "has_output_format", "n_constraints", "n_examples",
    "has_success_criteria",
)  # fmt: skip


def text_features(parts: PromptParts) -> dict[str, float]:
    """Return the numbers of ``TEXT_FEATURES``, in that order, of a prompt split into parts.

    Counts are counts, shares and flags are 0 to 1, ``readability_grade`` is the automated
    readability index (Senter and Smith, 1967), 0 to 30. Code, quotes and data count for their
    own numbers only: words are those of the instructions.
    """
    text, tokens = parts.instructions, parts.instruction_tokens
    hits = cue_phrases().find(text, tokens)
    found = {
        **_length(parts, tokens),
        **_ambiguity(tokens, hits),
        **_task(parts, tokens),
        **_components(text, hits),
        **_structure(parts),
        **_data(parts, hits),
    }
    found["structure"] = _structure_score(found)
    found["n_missing"] = float(sum(not found[name] for name in _COMPONENTS))
    language = guess_language(parts.text, (word for word, _, _ in tokens))
    found["is_english"] = float(language.code in {"en", "und"} and not language.is_mixed)
    found["n_code_names"] = count_code_names(parts.pieces)
    return {name: float(found[name]) for name in TEXT_FEATURES}


def _length(parts: PromptParts, tokens: Sequence[Token]) -> dict[str, float]:
    counts = Counter([word for word, _, _ in tokens])
    numbers = {word for word in counts if word.isdigit()}
    starts = [start for word, start, _ in tokens if word not in numbers]
    sizes = [(len(word), n) for word, n in counts.items() if word not in numbers]
    lengths = _sentence_words(parts, starts)
    n_words, n_sentences = len(starts), max(1, len(lengths))
    first = list(islice((w for w, _, _ in tokens if w not in numbers), _VARIETY_WORDS))
    n_letters = sum(size * n for size, n in sizes)
    grade = 4.71 * n_letters / n_words + 0.5 * n_words / n_sentences - 21.43 if n_words else 0.0
    n_long = sum(n for size, n in sizes if size > LONG_WORD_LETTERS)
    return {
        "n_characters": len(parts.text),
        "n_words": n_words,
        "n_sentences": len(lengths),
        "n_lines": parts.text.count("\n") + 1,
        "mean_sentence_words": n_words / n_sentences,
        "longest_sentence_words": max(lengths, default=0),
        "readability_grade": min(max(grade, 0.0), _MAX_GRADE),
        "long_word_share": n_long / n_words if n_words else 0.0,
        "lexical_variety": len(set(first)) / len(first) if first else 0.0,
        "uppercase_share": _share(len(_SHOUTED.findall(parts.prose)), n_words),
        "n_exclamations": parts.prose.count("!"),
    }


def _sentence_words(parts: PromptParts, starts: Sequence[int]) -> list[int]:
    """Return how many words each sentence has; sentences and words come in order of place."""
    lengths = (
        bisect_left(starts, part.end) - bisect_left(starts, part.start)
        for part in parts.of("sentence")
    )
    return [length for length in lengths if length]


def _ambiguity(tokens: Sequence[Token], hits: Sequence[Hit]) -> dict[str, float]:
    counts = Counter(hit.label for hit in hits)
    return {
        "n_vague": counts["vague"],
        "vague_share": _share(counts["vague"], len(tokens)),
        "n_hedges": counts["hedge"],
        "n_fillers": counts["filler"],
        "is_polite": counts["polite"] > 0,
        "opens_with_reference": bool(tokens) and _opens_with_reference(tokens),
    }


def _opens_with_reference(tokens: Sequence[Token]) -> bool:
    """Return whether "it" or "this" stands among the first words and nothing before it."""
    return any(
        word in _OPENING and (len(tokens) <= 12 or number == 0)
        for number, (word, _, _) in enumerate(tokens[:3])
    )


def _task(parts: PromptParts, tokens: Sequence[Token]) -> dict[str, float]:
    verbs = _leading_verbs(parts, tokens)
    return {
        "n_task_verbs": len(verbs),
        "has_task_verb": bool(verbs),
        "n_questions": sum(parts.prose.count(sign) for sign in "?？؟"),
        "question_at_end": parts.prose.rstrip().endswith(("?", "？", "؟")),
    }


def _leading_verbs(parts: PromptParts, tokens: Sequence[Token]) -> list[str]:
    """Return the task verbs that sentences and list items begin with, polite words aside."""
    places = [start for _, start, _ in tokens]
    begins = sorted({part.start for part in parts.of("sentence", "list_item")})
    firsts = dict.fromkeys(bisect_left(places, begin) for begin in begins)
    verbs = (_first_verb(tokens, first) for first in firsts)
    return list(dict.fromkeys(verb for verb in verbs if verb))


def _first_verb(tokens: Sequence[Token], at: int) -> str | None:
    for word, _, _ in tokens[at : at + _MAX_BEFORE_VERB]:
        if word in TASK_VERBS:
            return word
        if word not in _BEFORE_VERB and not word.isdigit():
            return None
    return None


def _components(text: str, hits: Sequence[Hit]) -> dict[str, float]:
    counts = Counter(hit.label for hit in hits)
    return {
        "has_role": counts["role"] > 0,
        "has_context": counts["context"] > 1,
        "has_audience": counts["audience"] > 0,
        "has_output_format": counts["format"] > 0,
        "has_length_limit": counts["length_limit"] > 0 or bool(_LENGTH.search(text)),
        "has_tone": counts["tone"] > 0,
        "n_constraints": counts["constraint"],
        "n_negations": counts["negation"],
        "n_examples": counts["example"],
        "has_success_criteria": counts["success"] > 0,
        "has_steps": counts["steps"] > 1 or any("step by step" in hit.name for hit in hits),
        "has_uncertainty": counts["uncertainty"] > 0,
        "n_reasoning": counts["reasoning"],
        "is_creative": counts["creative"] > 0,
        "is_factual": counts["factual"] > 0,
    }


def _structure(parts: PromptParts) -> dict[str, float]:
    counts = Counter(part.kind for part in parts.parts)
    n = max(1, len(parts.text))
    code = sum(part.end - part.start for part in parts.of("fence", "inline_code"))
    quoted = sum(part.end - part.start for part in parts.of("quote"))
    return {
        "n_headings": counts["heading"],
        "n_labels": counts["label"],
        "n_list_items": counts["list_item"],
        "n_elements": counts["element"],
        "n_fences": counts["fence"],
        "n_inline_code": counts["inline_code"],
        "n_placeholders": counts["placeholder"],
        "n_quotes": counts["quote"],
        "n_urls": counts["url"],
        "n_numbers": counts["number"],
        "code_share": min(1.0, code / n),
        "quoted_share": min(1.0, quoted / n),
    }


def _data(parts: PromptParts, hits: Sequence[Hit]) -> dict[str, float]:
    """Tell whether the prompt speaks of data that stands in it without a border."""
    refers = any(hit.label == "data" for hit in hits)
    pasted = pasted_in(parts.text)
    loose = [place for place in parts.of("placeholder") if not _is_inside(parts, place.start)]
    return {
        "refers_to_data": refers or bool(parts.of("placeholder")),
        "has_bare_data": bool(pasted is not None and pasted.name) or bool(loose),
    }


def _is_inside(parts: PromptParts, place: int) -> bool:
    return any(part.start <= place < part.end for part in parts.data_elements)


def _structure_score(found: dict[str, float]) -> float:
    """Return 0 to 1: half for headings, labels or tags, half for list items, by their number."""
    marks = found["n_headings"] + found["n_labels"] + found["n_elements"]
    return 0.5 * min(1.0, marks / 3) + 0.5 * min(1.0, found["n_list_items"] / 4)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0

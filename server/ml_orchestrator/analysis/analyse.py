"""``analyse``: a prompt read by rules and counts, offline and the same every time."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ml_orchestrator.analysis.context import context_of
from ml_orchestrator.analysis.domain import domain_model, term_counts
from ml_orchestrator.analysis.entities import Found, find_entities
from ml_orchestrator.analysis.models import Domain, Entity, Fit, PromptAnalysis, PromptLanguage
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.text.languages import Language, guess_language
from ml_orchestrator.text.prompt_features import TEXT_FEATURES, text_features
from ml_orchestrator.text.prompt_fit import rule_fits
from ml_orchestrator.text.prompt_parts import split_prompt

__all__ = ["FEATURE_NAMES", "MAX_CHARACTERS", "analyse"]

MAX_CHARACTERS = 20_000
_MAX_ENTITIES = 100
_MAX_ENTITY_TEXT = 80
_LEAST_OTHER = 0.05
_SURE = 0.5
_ENTITY_FEATURES = {
    "n_technologies": "technology",
    "n_files": "file",
    "n_code_entities": "code",
    "n_functions": "function",
    "n_people": "person",
    "n_quantities": "quantity",
    "n_dates": "date",
}
FEATURE_NAMES = (*TEXT_FEATURES, *_ENTITY_FEATURES)


def analyse(prompt: str) -> PromptAnalysis:
    """Return what a prompt names, is about and lacks, and which kinds of rule fit it.

    Only the first 20,000 characters are read; ``notices`` says so of a longer prompt. The
    probability of the domain is calibrated on short English prompts.

    Raises:
        InvalidInputError: The prompt has no text.

    >>> found = analyse("Refactor the pytest fixtures in tests/conftest.py, at most 20 lines.")
    >>> found.domain.name, [(entity.kind, entity.text) for entity in found.entities][:2]
    ('software', [('technology', 'pytest'), ('file', 'tests/conftest.py')])
    """
    text = prompt[:MAX_CHARACTERS]
    if not text.strip():
        raise InvalidInputError(
            "The prompt is empty or begins with 20,000 blank characters; give the text to analyse."
        )
    parts = split_prompt(text)
    tokens = parts.tokens
    language = guess_language(text, (word for word, _, _ in tokens))
    domains = domain_model().probabilities(term_counts(tokens))
    found = find_entities(parts, tokens)
    features = {**text_features(parts), **_entity_features(found)}
    return PromptAnalysis(
        n_characters=len(prompt),
        n_analysed=len(text),
        language=PromptLanguage(
            code=language.code, share=round(language.share, 3), is_mixed=language.is_mixed
        ),
        domain=_domain(domains),
        entities=_entities(text, found[:_MAX_ENTITIES]),
        n_entities=len(found),
        features={name: round(value, 4) for name, value in features.items()},
        strategy=_strategy(features),
        context=tuple(round(value, 4) for value in context_of(features, domains)),
        notices=_notices(prompt, language, max(domains.values())),
    )


def _domain(probabilities: Mapping[str, float]) -> Domain:
    (name, highest), *rest = sorted(probabilities.items(), key=lambda item: -item[1])
    others = {other: round(p, 3) for other, p in rest if p >= _LEAST_OTHER}
    return Domain(name=name, probability=round(highest, 3), others=others)


def _entities(text: str, found: Sequence[Found]) -> list[Entity]:
    return [
        Entity(kind=kind, text=text[start:end][:_MAX_ENTITY_TEXT], start=start, end=end)
        for start, end, kind in found
    ]


def _entity_features(found: Sequence[Found]) -> dict[str, float]:
    counts = Counter(kind for _, _, kind in found)
    return {name: float(counts[kind]) for name, kind in _ENTITY_FEATURES.items()}  # type: ignore[index]


def _strategy(features: Mapping[str, float]) -> list[Fit]:
    return [
        Fit(rule=rule, fit=round(fit, 3), reason=f"{reason[0].upper()}{reason[1:]}.")
        for rule, fit, reason in rule_fits(features)
    ]


def _notices(prompt: str, language: Language, probability: float) -> list[str]:
    notices = []
    if len(prompt) > MAX_CHARACTERS:
        notices.append(f"Only the first {MAX_CHARACTERS} of {len(prompt)} characters were read.")
    if language.code not in {"en", "und"} or language.is_mixed:
        notices.append(
            "The prompt seems not to be in English alone: words for features, rules and domain are "
            "English, so only length, structure, numbers and entities can be relied on."
        )
    elif language.code == "und":
        notices.append("Its language could not be told; features and domain expect English.")
    if probability < _SURE:
        notices.append(f"The domain is uncertain: the likeliest has {probability:.2f}.")
    return notices

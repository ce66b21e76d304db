"""Which language a prompt is in, by its small words."""

import pytest

from ml_orchestrator.optimization.improve import improve
from ml_orchestrator.optimization.language import is_english
from ml_orchestrator.text.languages import guess_language
from ml_orchestrator.text.phrases import tokens_of

OTHERS = {
    "Napisz list do szefa w sprawie urlopu.": "pl",
    "Napiš dopis šéfovi ohledně dovolené.": "cs",
    "Escreva um email para o chefe.": "pt",
    "Escreva a carta do chefe": "pt",
    "Irj egy levelet a fonoknek a szabadsagrol": "hu",
    "Traduce el texto a ingles.": "es",
    "Plan podróży do Rzymu": "und",
}


@pytest.mark.parametrize("prompt", OTHERS)
def test_a_prompt_in_another_language_comes_back_as_it_was(prompt: str) -> None:
    assert guess_language(prompt, (word for word, _, _ in tokens_of(prompt))).code == OTHERS[prompt]
    assert not is_english(prompt)
    improved = improve(prompt)
    assert improved.text == prompt
    assert improved.note is not None


@pytest.mark.parametrize(
    "prompt",
    [
        "Refactor utils.py",
        "Optimise the query",
        "List files",
        "Plan a trip",
        "Summarise La Traviata in 50 words",
        "Haiku about autumn",
    ],
)
def test_a_task_verb_or_a_small_word_makes_a_short_prompt_english(prompt: str) -> None:
    assert is_english(prompt)


def test_a_verb_shared_with_another_language_does_not_win_a_tie() -> None:
    assert not is_english("Analyse le texte")

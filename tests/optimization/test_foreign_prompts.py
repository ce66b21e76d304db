"""Prompts in German, French and Spanish: never changed, and asked about what they clearly lack."""

import pytest

from ml_orchestrator.optimization.improve import candidates, improve

GOOD = {
    "German": (
        "Du bist Lektorin in einem Sachbuchverlag. Prüfe den Klappentext in <text> auf Fehler. "
        "Ändere den Stil nicht. Gib eine Tabelle mit den Spalten Stelle, Fehler und Vorschlag "
        "zurück. Ist etwas unklar, frage nach.\n\n<text>\n{klappentext}\n</text>"
    ),
    "French": (
        "Tu es correctrice dans une maison d'édition. Vérifie le texte entre balises. Ne change "
        "pas le style. Renvoie un tableau avec les colonnes passage, faute et proposition. Si un "
        "passage te semble incertain, signale-le.\n\n<texte>\n{texte}\n</texte>"
    ),
    "Spanish": (
        "Eres correctora en una editorial. Revisa el texto entre etiquetas. No cambies el estilo. "
        "Devuelve una tabla con las columnas pasaje, error y propuesta. Si algo te genera dudas, "
        "pregúntame.\n\n<texto>\n{texto}\n</texto>"
    ),
}
LACKING = [
    ("Fasse den folgenden Bericht zusammen. Keine Zahlen, nur drei Stichpunkte.", "specificity"),
    ("Résume le rapport ci-dessous en trois puces, sans les chiffres.", "specificity"),
    ("Resume el siguiente informe en tres viñetas, sin las cifras.", "specificity"),
    ("Schreib eine Rede für meine Schwester, keine peinlichen Geschichten.", "role"),
    ("Rédige un discours de trois minutes pour ma sœur, pas de blagues.", "role"),
    ("Escribe un discurso de tres minutos para mi hermana, sin bromas.", "role"),
    ("Schreib eine Rede für die Feier, mit Musik und so weiter.", "clarity"),
    ("Rédige une annonce pour notre fête, quelque chose de sympa, avec la musique.", "clarity"),
    ("Escribe un anuncio para nuestra fiesta, con música y cosas así.", "clarity"),
    ("Erkläre den Kindern kurz, aber ausführlich, wie ein Motor arbeitet.", "clarity"),
    ("Explique aux enfants de façon brève et détaillée comment marche un moteur.", "clarity"),
    ("Explica a los niños de forma breve y detallada cómo funciona un motor.", "clarity"),
    ("Du bist Redakteurin. Schreib einen Beitrag für unsere Kunden, nicht zu werblich.",
     "output_contract"),
    ("Tu es rédactrice. Écris un message pour nos clients, sans publicité.", "output_contract"),
    ("Eres redactora. Escribe un mensaje para nuestros clientes, sin publicidad.",
     "output_contract"),
    ("Extrahiere aus der Rechnung {rechnung} den Betrag und das Datum als JSON.", "uncertainty"),
    ("Extrais de la facture {facture} le montant et la date au format JSON.", "uncertainty"),
    ("Extrae de la factura {factura} el importe y la fecha en formato JSON.", "uncertainty"),
    ("Erstelle eine Liste von Namen für unsere Bäckerei in der Altstadt.", "constraints"),
    ("Propose une liste de noms pour notre boulangerie dans la vieille ville.", "constraints"),
    ("Propón una lista de nombres para nuestra panadería en el casco antiguo.", "constraints"),
    ("Der Vertrag mit der Gemeinde über die Wiese hinter dem Haus und die Bäume darauf.", "task"),
    ("Le contrat avec la commune pour le pré derrière la maison et les arbres qui sont là.",
     "task"),
    ("El contrato con el ayuntamiento sobre el prado de la casa y los árboles que están en él.",
     "task"),
]  # fmt: skip


@pytest.mark.parametrize("language", GOOD)
def test_a_good_prompt_of_another_language_is_asked_nothing(language: str) -> None:
    improved = improve(GOOD[language])
    assert (improved.text, improved.applied, improved.questions) == (GOOD[language], (), ())
    assert "does not read as English" in (improved.note or "")


@pytest.mark.parametrize(("prompt", "rule"), LACKING)
def test_what_clearly_lacks_is_asked_and_nothing_is_written_in(prompt: str, rule: str) -> None:
    finding = candidates(prompt)[rule]
    improved = improve(prompt)
    assert finding.edits == ()
    assert finding.question in improved.questions
    assert improved.text == prompt
    assert "is asked" in (improved.note or "")


def test_an_author_who_must_not_be_asked_is_told_what_was_held_back() -> None:
    improved = improve("Fasse den folgenden Bericht zusammen.", may_ask=False)
    assert improved.questions == ()
    assert {"specificity", "output_contract"} <= {skipped.rule for skipped in improved.skipped}


def test_other_languages_are_left_alone() -> None:
    for prompt in ("Napisz coś o naszym lecie i tak dalej.", "总结以下文章。", "Напиши про лето."):
        assert candidates(prompt) == {}
        assert improve(prompt).text == prompt

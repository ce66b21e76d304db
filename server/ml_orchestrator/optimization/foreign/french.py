"""How prompts in French show what they have, in small letters; what is worded otherwise is not known."""

# ruff: noqa: E501  wording, not code

from ml_orchestrator.optimization.foreign.words import FORMS, ForeignWords, any_of, each_of

__all__ = ["FRENCH"]

FRENCH = ForeignWords(
    name="French",
    tasks=each_of(
        {
            "translate": (r"tradui(?:s|sez|re)", r"traduction de"),
            "summarise": (r"résume[rz]?", r"(?:fais|faites)[- ]?(?:moi)? (?:un )?résumé", "synthétise[rz]?"),
            "classify": (r"class(?:e|ez|er)", r"catégorise[rz]?", r"attribue[rz]? [^.!?\n]{1,60}catégorie"),
            "extract": (r"extrai(?:s|re)", r"extrayez", r"relèves?", r"relevez", r"repère[rz]?"),
            "rewrite": (
                r"reformule[rz]?", r"réécri(?:s|vez|re)", r"raccourci(?:s|ssez|r)", r"simplifie[rz]?",
                r"améliore[rz]?",
            ),
            "review": (r"reli(?:s|sez|re)", r"vérifie[rz]?", r"corrige[rz]?", r"évalue[rz]?", r"critique[rz]?"),
            "decide": (r"compare[rz]?", r"décide[rz]?", r"choisi(?:s|ssez|r)"),
            "analyse": (r"analyse[rz]?", r"étudie[rz]?", r"examine[rz]?"),
            "explain": (r"explique[rz]?",),
            "code": (r"programme[rz]? (?:une|un|en)", r"implémente[rz]?", r"développe[rz]? (?:une|un)"),
            "plan": (r"planifie[rz]?", r"organise[rz]?", r"prépare[rz]? [^.!?\n]{0,40}(?:plan|programme)"),
            "write": (
                r"écri(?:s|vez|re)", r"rédige[rz]?", r"compose[rz]?", r"crée[rz]?", r"génère[rz]?",
                r"fais(?:-moi)?", r"faites", r"propose[rz]?", r"invente[rz]?", r"prépare[rz]?",
                r"j'aurais besoin", r"j'ai besoin", r"il me faut",
            ),
        }
    ),
    parts=each_of(
        {
            "role": (
                r"tu es", r"vous êtes", r"tu travailles", r"vous travaillez", r"tu aides",
                r"en tant qu(?:e|')", r"agis comme", r"agissez comme", r"dans le rôle", r"joue le rôle",
                r"mets-toi à la place", r"comme un(?:e)? expert\w*",
            ),
            "output": (
                *FORMS, r"tableaux?", r"listes?", r"puces", r"colonnes?", r"lignes?", r"format",
                r"sous (?:la )?forme", r"titres?", r"sous-titres?", r"paragraphes?", r"sections?",
                r"réponds? (?:uniquement|seulement|par|en|avec)", r"répondez (?:uniquement|par|en)",
                r"renvoie[rz]?", r"affiche[rz]?", r"schéma", r"objet du (?:mail|message)", r"phrases?",
                r"mots", r"pages?", r"bloc de code", r"en français", r"numéroté\w*", r"dans l'ordre",
            ),
            "constraints": (
                r"pas", r"sans", r"jamais", r"aucune?", r"uniquement", r"seulement", r"au plus",
                r"au moins", r"au maximum", r"maximum", r"évite[rz]?", r"doi(?:t|s|vent)", r"ni",
                r"interdit\w*", r"exactement", r"limite[rz]?", r"budget", r"tutoie\w*", r"vouvoie\w*",
            ),
            "uncertainty": (
                r"incertain\w*", r"inconnue?s?", r"manque(?:nt|r)?", r"manquante?s?", r"absente?s?",
                r"ne (?:sais|savez|connais|trouves|figure|précise) pas", r"n'(?:es|êtes|est) pas "
                r"(?:sûre?|certaine?|précisé\w*|indiqué\w*)", r"doute", r"n'invente\w*", r"illisible",
                r"demande[rz]?[- ]moi", r"suppos\w+", r"hypothèses?", r"estim\w+",
            ),
            "length": (
                r"(?:\d+|un\w?|deux|trois|quatre|cinq|dix) (?:à \w+ )?(?:mots|phrases?|lignes?|pages?"
                r"|paragraphes?|minutes?|caractères|strophes?|points?)", r"courte?s?", r"brève?\w*",
                r"bref", r"longue?s?",
            ),
            "audience": (
                r"pour (?:les|des|mes|nos|mon|ma|notre|un|une|le|la) ?\w*", r"à (?:mon|ma|mes|nos|notre) \w+",
                r"aux? \w+", r"public", r"lecteurs?", r"clients?", r"destiné\w*",
            ),
        }
    ),
    vague=any_of(
        r"etc\.?", r"et ainsi de suite", r"(?:un|des|ces) trucs?", r"des choses(?: comme ça)?",
        r"quelque chose (?:de bien|de sympa|comme ça|dans le genre)", r"ou quelque chose",
        r"en quelque sorte", r"plus ou moins", r"un peu de tout", r"ou dans le genre", r"genre",
        r"n'importe (?:quoi|comment)", r"d'une manière ou d'une autre", r"et tout(?: ça)?(?=[.,!?\n])",
    ),
    opposites=(
        (
            any_of(r"(?:très )?courte?s?", r"(?:très )?br(?:ef|ève)s?", r"concise?s?", r"en une phrase"),
            any_of(r"détaillée?s?", r"exhausti(?:f|ve)s?", r"approfondie?s?", r"dans les moindres détails"),
        ),
        (any_of(r"formel(?:le)?s?", r"soutenue?"), any_of(r"familièr?e?s?", r"décontractée?s?")),
    ),
    refers=any_of(
        r"(?:le|la|les|l'|ce|cet|cette|ces) ?\w+ (?:suivante?s?|ci-dessous|ci-joint\w*|joint\w*)",
        r"(?:ce|cet|cette|ces) (?:textes?|lettres?|articles?|contrats?|e-?mails?|rapports?|codes?|listes?"
        r"|tableaux?|avis|message)",
    ),
)  # fmt: skip

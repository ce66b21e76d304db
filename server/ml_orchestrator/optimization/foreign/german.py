"""How prompts in German show what they have, in small letters; what is worded otherwise is not known."""

# ruff: noqa: E501  wording, not code

from ml_orchestrator.optimization.foreign.words import FORMS, ForeignWords, any_of, each_of

__all__ = ["GERMAN"]

GERMAN = ForeignWords(
    name="German",
    tasks=each_of(
        {
            "translate": (r"übersetz(?:e|en sie|t)?", "übertrage? .{1,40} ins?"),
            "summarise": (
                r"fass(?:e|en sie)? [^.!?\n]{1,200}zusammen", r"zusammenfassung", "zusammenfassen",
            ),
            "classify": (
                r"klassifizier(?:e|en sie)", r"ordnen? (?:sie )?[^.!?\n]{1,200}(?:zu|ein)",
                r"kategorisier(?:e|en sie)", r"teil(?:e|en sie) [^.!?\n]{1,120} ein",
            ),
            "extract": (
                r"extrahier(?:e|en sie)", r"entnimm", r"zieh(?:e|en sie)? [^.!?\n]{1,120}heraus",
                r"lies [^.!?\n]{1,120}(?:aus|heraus)", r"such(?:e|en sie)? [^.!?\n]{1,80}heraus",
            ),
            "rewrite": (
                r"überarbeit(?:e|en sie)", r"kürz(?:e|en sie)", r"umschreiben",
                r"(?:formulier|schreib)(?:e|en sie)? [^.!?\n]{1,120} um", r"vereinfach(?:e|en sie)",
            ),
            "review": (
                r"(?:über)?prüf(?:e|en sie)", r"lektorier(?:e|en sie)", r"begutachte",
                r"korrigier(?:e|en sie)", r"bewert(?:e|en sie)",
            ),
            "decide": (r"vergleich(?:e|en sie)?", r"entscheid(?:e|en sie)", r"wäg(?:e|en sie)"),
            "analyse": (
                r"analysier(?:e|en sie)", r"untersuch(?:e|en sie)", r"werte? [^.!?\n]{1,120}aus",
            ),
            "explain": (r"erklär(?:e|en sie)?", r"erläuter(?:e|n sie)"),
            "code": (r"programmier(?:e|en sie)", r"implementier(?:e|en sie)"),
            "plan": (r"plan(?:e|en sie)", r"(?:erstell|mach)(?:e|en sie)? [^.!?\n]{0,60}plan"),
            "write": (
                r"schreib(?:e|en sie)?", r"verfass(?:e|en sie)", r"entwirf", r"entwerfen sie",
                r"formulier(?:e|en sie)", r"erstell(?:e|en sie)?", r"mach(?:e|en sie)?",
                r"dichte", r"ich brauche", r"ich hätte gerne?",
            ),
        }
    ),
    parts=each_of(
        {
            "role": (
                r"du bist", r"sie sind", r"du arbeitest", r"sie arbeiten", r"du hilfst",
                r"in der rolle", r"als (?:erfahrene|fach)\w*", r"agiere als", r"spiele?",
                r"stell dir vor,? du", r"du übernimmst",
            ),
            "output": (
                *FORMS, r"tabelle\w*", r"(?:nummerierte )?liste[n]?", r"stichpunkt\w*",
                r"stichwort\w*", r"aufzählung\w*", r"spalten?", r"überschrift\w*", r"format",
                r"ausgabe\w*", r"gib (?:nur|nichts|genau|ausschließlich|zurück)",
                r"(?:antworte|antworten sie) (?:nur|mit|in|ausschließlich)", r"zeilen?", r"absätze?n?",
                r"abschnitt\w*", r"betreff\w*", r"fließtext", r"gliederung", r"auf deutsch",
                r"in (?:einem|zwei|drei) s[aä]tz\w*", r"schema", r"codeblock", r"vorlage",
                r"reihenfolge", r"wörter[n]?", r"sätze[n]?", r"seiten?",
            ),
            "constraints": (
                r"kein(?:e|en|er|em|es)?", r"nicht", r"nur", r"höchstens", r"mindestens", r"maximal",
                r"ohne", r"vermeide\w*", r"niemals", r"nie", r"muss", r"müssen", r"darf", r"dürfen",
                r"ausschließlich", r"genau", r"verwende\w*", r"duze\w*", r"sieze\w*", r"verzichte\w*",
            ),
            "uncertainty": (
                r"unklar\w*", r"unsicher\w*", r"nicht sicher", r"fehl(?:t|en|ende\w*)", r"unbekannt",
                r"weißt du", r"nicht weißt", r"zweifel\w*", r"frag(?:e|en sie)? nach", r"geht nicht "
                r"hervor", r"steht nicht", r"nicht (?:genannt|angegeben|erkennbar|lesbar|bekannt)",
                r"rate nicht", r"erfinde\w*", r"annahmen?", r"geschätzt\w*", r"schätz\w*",
            ),
            "length": (
                r"(?:\d+|ein\w*|zwei|drei|vier|fünf|sechs|zehn)[- ](?:bis (?:\d+|\w+)[- ])?(?:wört\w*|"
                r"s[aä]tz\w*|seiten?|zeichen|absätz\w*|zeilen?|minut\w*|punkt\w*|strophen?)",
                r"kurz\w*", r"knapp\w*", r"lang",
            ),
            "audience": (
                r"für (?:unsere?n?|meine?n?|die|den|das|eine?n?|kinder|anfänger|laien|\w+innen) ?\w*",
                r"an (?:unsere?n?|meine?n?|die|den|das|eine?n?) ?\w*", r"zielgruppe", r"leser\w*",
                r"kund\w+", r"publikum",
            ),
        }
    ),
    vague=any_of(
        r"irgend(?:wie|was|etwas|wo|wann)", r"und so weiter", r"usw\.?", r"oder so(?: ähnlich)?",
        r"und so(?: was| etwas)?(?=[.,!?\n])", r"zeug", r"(?:so )?ein bisschen", r"und dergleichen",
        r"was (?:auch immer|schönes|nettes|tolles|gutes)", r"halt so", r"sowas(?: in der art)?",
        r"mehr oder weniger", r"möglichst gut", r"etc\.?", r"in der art",
    ),
    opposites=(
        (
            any_of(r"(?:sehr |ganz |möglichst )?kurz(?:e[nrs]?|fassung)?", r"knapp(?:e[nrs]?)?",
                 r"in einem satz"),
            any_of(r"ausführlich\w*", r"detailliert\w*", r"umfassend\w*", r"in allen einzelheiten"),
        ),
        (any_of(r"förmlich\w*", r"formell\w*"), any_of(r"locker\w*", r"salopp\w*", r"umgangssprachlich")),
    ),
    refers=any_of(
        r"(?:den|dem|der|die|das|diese[nmrs]?) (?:folgende[nmrs]?|unten ?stehende[nmrs]?|beigefügte[nmrs]?"
        r"|angehängte[nmrs]?) \w+",
        r"(?:der|den|die|das) \w+ (?:unten|anbei|im anhang)",
        r"diese[nmrs]? (?:text|brief|artikel|vertrag|e-?mail|bericht|code|liste|tabelle|protokoll)s?",
    ),
)  # fmt: skip

"""How prompts in Spanish show what they have, in small letters; what is worded otherwise is not known."""

# ruff: noqa: E501  wording, not code

from ml_orchestrator.optimization.foreign.words import FORMS, ForeignWords, any_of, each_of

__all__ = ["SPANISH"]

SPANISH = ForeignWords(
    name="Spanish",
    tasks=each_of(
        {
            "translate": (r"traduc(?:e|ir)", r"traduzcan?"),
            "summarise": (r"resum(?:e|a|ir)", r"(?:haz|haga)(?:me)? un resumen", r"sintetiza"),
            "classify": (r"clasifi(?:ca|que|car)", r"categori(?:za|ce)", r"asign[ae] [^.!?\n]{1,60}categoría"),
            "extract": (r"extra(?:e|iga|er)", r"sac[ae] (?:los|las|el|la) [^.!?\n]{1,80} del?"),
            "rewrite": (
                r"reescrib(?:e|a|ir)", r"reformul[ae]", r"acort[ae]", r"simplifi(?:ca|que)", r"mejor(?:a|e|ar)",
            ),
            "review": (r"revis[ae]", r"corri(?:ge|ja)", r"eval(?:úa|úe|uar)", r"comprueb[ae]", r"verifi(?:ca|que)"),
            "decide": (r"compar[ae]", r"decid[ae]", r"eli(?:ge|ja)"),
            "analyse": (r"anali(?:za|ce|zar)", r"examin[ae]", r"estudi[ae]"),
            "explain": (r"expli(?:ca|que|car)(?:me)?",),
            "code": (r"program[ae] (?:una?|en)", r"implement[ae]", r"desarroll[ae] (?:una?)"),
            "plan": (r"planifi(?:ca|que)", r"organi(?:za|ce)", r"prepar[ae] [^.!?\n]{0,40}plan"),
            "write": (
                r"escrib(?:e|a|ir)(?:me)?", r"redact(?:a|e|ar)", r"compón", r"cre(?:a|e|ar)", r"gener(?:a|e|ar)",
                r"haz(?:me)?", r"haga", r"propon(?:ga)?", r"propón", r"invent[ae]", r"prepar[ae]", r"necesito",
            ),
        }
    ),
    parts=each_of(
        {
            "role": (
                r"eres", r"usted es", r"trabajas", r"trabaja (?:usted|como)", r"ayudas", r"act(?:úa|úe) como",
                r"como (?:expert|especialist|profesional)\w*", r"en el papel de", r"tu (?:rol|papel)",
                r"imagina que eres", r"ponte en (?:el )?lugar",
            ),
            "output": (
                *FORMS, r"tablas?", r"listas?", r"viñetas?", r"columnas?", r"filas?", r"formato",
                r"en forma de", r"título\w*", r"encabezados?", r"párrafos?", r"secciones", r"apartados?",
                r"respond[ae] (?:solo|sólo|únicamente|con|en)", r"devuelv[ae]", r"muestr[ae]", r"esquema",
                r"asunto", r"frases?", r"oraciones", r"palabras", r"páginas?", r"bloque de código",
                r"en español", r"numerad\w+", r"líneas?", r"por orden", r"una línea",
            ),
            "constraints": (
                r"no", r"sin", r"nunca", r"jamás", r"ningún\w*", r"solo", r"sólo", r"únicamente", r"solamente",
                r"como máximo", r"máximo", r"como mínimo", r"al menos", r"evit[ae]", r"debe[ns]?", r"ni",
                r"prohibid\w+", r"exactamente", r"límite", r"presupuesto", r"tutea\w*", r"tampoco",
            ),
            "uncertainty": (
                r"incierto", r"desconocid\w+", r"falt[ae]n?", r"faltante", r"ausente", r"no (?:sabes|sepas|estás|"
                r"está|consta|figura|aparece|se indica|se sabe|queda) ?\w*", r"duda\w*", r"no invent\w+",
                r"ilegible", r"pregúnta\w*", r"supuest\w+", r"supon\w+", r"estim\w+", r"si no hay",
            ),
            "length": (
                r"(?:\d+|una?|dos|tres|cuatro|cinco|diez) (?:o \w+ )?(?:palabras|frases?|oraciones|líneas?"
                r"|páginas?|párrafos?|minutos?|caracteres|estrofas?|puntos?)", r"cort[ao]s?", r"breves?",
                r"larg[ao]s?",
            ),
            "audience": (
                r"para (?:los|las|mis|nuestr\w+|mi|un|una|el|la|niños) ?\w*", r"a (?:mis?|nuestr\w+) \w+",
                r"a los \w+", r"público", r"lector\w*", r"client\w+", r"dirigid\w+",
            ),
        }
    ),
    vague=any_of(
        r"etc\.?", r"etcétera", r"y así sucesivamente", r"algo así", r"o algo(?: parecido)?", r"más o menos",
        r"cosas(?: así)?", r"y cosas", r"de alguna (?:manera|forma)", r"lo que sea", r"un poco de todo",
        r"alg(?:o|ún) (?:bonito|bueno|chulo)", r"y eso(?=[.,!?\n])", r"como sea", r"y demás",
    ),
    opposites=(
        (
            any_of(r"(?:muy )?breves?", r"(?:muy )?cort[ao]s?", r"concis[ao]s?", r"en una (?:sola )?frase"),
            any_of(r"detallad[ao]s?", r"exhaustiv[ao]s?", r"extens[ao]s?", r"con todo detalle"),
        ),
        (any_of(r"formal(?:es)?"), any_of(r"informal(?:es)?", r"desenfadad[ao]s?", r"coloquial(?:es)?")),
    ),
    refers=any_of(
        r"(?:el|la|los|las|este|esta|estos|estas) (?:siguientes? \w+|\w+ (?:siguientes?|adjunt[ao]s?|de abajo))",
        r"(?:este|esta|estos|estas) (?:textos?|cartas?|artículos?|contratos?|correos?|informes?|códigos?"
        r"|listas?|tablas?|reseñas?|mensajes?)",
    ),
)  # fmt: skip

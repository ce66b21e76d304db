"""How the components of an English prompt are named and said, and where its data stand."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.borders import fills_tags, has_borders
from ml_orchestrator.text.prompt_parts import Part, PromptParts

__all__ = [
    "COMPONENTS",
    "SIDE_NAME",
    "STRANGERS",
    "bare_placeholders",
    "data_name",
    "data_places",
]

_NAMED = re.compile(r"[a-z]+")
_DATA = frozenset(
    "text texts document documents doc docs article articles email emails mail review reviews "
    "ticket tickets transcript transcripts content contents input inputs context comment comments "
    "message messages conversation chat log logs report reports contract contracts resume cv "
    "essay paper passage passages page pages post posts letter notes data dataset code snippet "
    "diff json html csv feedback abstract source sources history thread file files complaint "
    "application story draft answers responses response manuscript speech statement excerpt "
    "paragraph paragraphs body answer clause clauses policy record records listing".split()
)
STRANGERS = frozenset(
    "email emails mail review reviews ticket tickets comment comments message messages chat "
    "conversation feedback input inputs resume cv thread html page pages complaint post posts "
    "letter application response responses".split()
)
_LONG_QUOTE = 200
_REST_OF_LINE = re.compile(r"[^\S\n]*(?:\n|\Z)")
SIDE_NAME = re.compile(
    r"\b(?:output|format|constraints?|rules?|guidelines?|examples?|if unsure|unsure|criteria|check|"
    r"checklist|role|persona|audience|length|tone|context|background|details|how to work|data|style|"
    r"quality|restrictions?|notes?|technology|expected|observed)\b"
)


def _component(names: str, said: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    named = rf"\b(?:{names})\b" if names else r"(?!)"
    return re.compile(named), re.compile(said)


def _at_a_word(*said: str) -> str:
    """Return a pattern of what begins with a word; one border before all of them is found sooner."""
    return rf"\b(?:{'|'.join(said)})"


# Name of a component: what its section is called, and how it is said without one. Matched in
# small letters. Bounded gaps keep the time linear.
COMPONENTS: Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]] = MappingProxyType(
    {
        "role": _component(
            "role|persona",
            r"(?:\A|[.\n>] ?)you (?:write|advise|help|teach|edit|translate|review|design|specialise|specialize) |\b(?:you are|you're|act as|acting as|take the role of|play the role of|imagine you are|assume the role of|take the part of|speak as|play)"
            r" (?:an? |the |my |our |now |one of )|\bas an? (?:experienced|senior|expert|seasoned)\b"
            r"|\byour role\b",
        ),
        "context": _component(
            "context|background|situation|purpose|about|goal",
            r"\b(?:we|our|my|us)\b|\bi (?!want you|need you|would like you|was wondering)[a-z]+\b|\bi'[a-z]+\b|\bbecause\b|\bso that\b"
            r"|\bis used (?:by|for|to|in)\b|\bwill be (?:used|read|sent|shown|published|shared|imported|parsed)\b"
            r"|\b(?:the company|a client)\b|\b(?:the|this) (?:goal|purpose) (?:is|of)\b",
        ),
        "audience": _component(
            "audience|readers?|target group",
            r"\b(?:audience|(?:the|your|our|its|their) readers|readers (?:are|with|who|of)|reader (?:is|who|with)|(?:is|be|are) read by|(?:speaks|addressed|written|aimed|meant|intended) (?:to|for|at) |(?:for|to) (?:people|those|anyone|someone|adults|families) (?:who|with|without)|beginners?|novices?|for (?:[a-z-]+ ){0,2}(?!numbers|orders|papers|letters|parameters|headers|others|errors|colors|vectors|documents|comments|components|contents|events|elements|arguments|segments|statements|agents|answers|characters|containers|moments|tests|lists|lasts)[a-z]{3,}(?:ers|ors|ists|ents|ants|ians|people|families|adults)|newcomers?|non-experts?|laypeople|"
            r"experts? in|year[- ]olds?|students?|children|kids|customers?|executives?|managers?|developers?|"
            r"engineers?|teachers?|patients?|pupils?|parents|farmers?|mourners|hikers|users|team|colleagues?|investors?|board|employees|"
            r"residents|visitors|owners|clinicians|nurses|staff|recruiters?|graders?|volunteers?|donors?|members|public|analysts?)\b",
        ),
        "length": _component(
            "length|word count|size",
            r"\b(?:(?<![\d,])\d[\d,]{0,12}+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|half a|single)(?:(?: to |-| or |–)(?:\d+|[a-z]+))?[- ]"
            r"(?:[a-z]+[- ]){0,2}(?:words?|sentences?|paragraphs?|lines?|pages?|characters?|bullets?|"
            r"items?|points?|steps?|stanzas?|minutes?|tokens?|sections?|ideas?|examples?|names?|questions?|slides?|rows?|"
            r"options?|titles?|headlines?|tips?|reasons?|verses?|syllables?|stages?|alternatives?|suggestions?|problems?|exercises?)\b(?! (?:per|for each|each|on|in)\b)"
            r"|\b(?:at most|no more than|no longer than|up to|fewer than|less than|under|within|maximum of|at least|exactly|between|about|around) (?:\d+|one|two|three|four|five|six|eight|ten)\b"
            r"|(?:\ufffc|%[ds])[- ](?:words?|sentences?|paragraphs?|lines?|pages?|characters?|bullets?|points?)\b",
        ),
        "count": _component(
            "count|number|how many",
            r"\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty) (?:[a-z-]+ ){0,2}"
            r"(?!pounds|euros|dollars|pupils|people|shops|words|adults|members|engineers|developers|customers|users)[a-z]{2,}s\b",
        ),
        "span": _component(
            "time|duration|deadline|timeline|span|schedule",
            r"\b(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve)[- ](?:[a-z-]+ )?(?:minutes?|hours?|days?|"
            r"weeks?|months?|quarters?|years?|evenings?|sessions?|sprints?|lessons?|afternoons?|weekends?)\b|\b(?:until|deadline|due)\b|"
            r"\b(?:by|before) (?:january|february|march|april|may|june|july|august|september|october|november|december|monday|friday|the end)\b",
        ),
        "tone": _component(
            "tone|style|voice",
            r"\b(?:tone|voice|formal|informal|friendly|warm|professional|casual|polite|plain (?:english|language|words)|"
            r"conversational|neutral|persuasive|humorous|playful|empathetic|simple words|jargon|matter-of-fact|british english|american english)\b",
        ),
        "output": _component(
            "output|output format|format|response format|answer format|output contract|deliverables?|return|structure of the answer|report format|what to return",
            r"\b(?:return|output|respond|reply|answer|format|present|print|give|write|deliver|show|provide|report|structure|state|produce|list|render|lay out|put)\b[^.\n]{0,70}"
            r"\b(?:json|csv|yaml|xml|html|markdown|tables?|bullets?|bulleted|bullet points|numbered|list|code block|plain text|"
            r"only|with (?:the|one|a|yes)|one word|one line|one of|sections?|headings?|columns?|keys?|fields?|as (?:an? )?(?:single|one|short|plain)|in this (?:form|format|order)|"
            r"the following (?:form|format|structure|sections)|and nothing else|nothing else|sentences?|paragraphs?|words|per line|on its own line|subject line|diff|blocks?|labels?)\b"
            r"|\b(?:valid json|as json|in json|json (?:object|array)|in markdown|as a table|as bullets|one per line|output format|nothing else|without (?:any )?(?:introduction|preamble|commentary))\b"
            r"|\byour (?:answer|response|reply|output) (?:should|must|has|is|contains|begins|starts|consists)\b|(?:\A|[.!?:>\n]\s{0,3})(?:begin|start|end|open|close) (?:with|on|by)\b"
            r"|\buse (?:the (?:following )?|these |two |three |four |five )?(?:headings?|sections?|columns?|format|structure|bullets?)\b"
            r"|\bas an? (?:[a-z]+ ){0,2}(?:list|table|paragraph|object|array|file|script|email|letter|diff|text|block)\b"
            r"|\bin (?:one|two|three|four|a single) (?:[a-z]+ )?(?:paragraphs?|sentences?|tables?|lines?|sections?|code blocks?)\b",
        ),
        "examples": _component(
            "examples?|samples?|few shot|demonstrations?|example \\w+|sample \\w+",
            r"\binput:[^\n]{0,400}\n+\s*[-*]?\s*output:|\b(?:for example|for instance|e\.g\.|here is an example|an example|such as|like this|examples? of|sample (?:input|output))|\b(?:becomes?|is labelled|is labeled|maps to|should give|turns into|counts as)\b|->|→|=>",
        ),
        "steps": _component(
            "steps?|procedure|method|approach|process|workflow|how to work|thinking|reasoning|how to proceed",
            _at_a_word(
                r"step[- ]by[- ]step\b",
                r"think\b[^.\n]{0,30}\b(?:through|first|before|aloud|carefully)\b",
                r"before (?:you )?(?:answer|answering|deciding|you decide|concluding|giving|writing|you write|the final)",
                r"show (?:your|the|all|each) (?:work|working|reasoning|steps?|calculations?)\b",
                r"reason(?:ing)? (?:it )?(?:through|first|step)\b",
                r"first,? (?:and )?then\b",
                r"only then\b",
                r"before (?:the|any|your) (?:result|answer|recommendation|choice|conclusion|verdict)\b",
                r"each (?:step|calculation)\b",
                r"every (?:step|calculation)\b",
                r"explain your reasoning\b",
                r"lay out your reasoning\b",
                r"give your reasoning\b",
                r"state your reasoning\b",
                r"one by one\b",
                r"in turn\b",
                r"rule out\b",
                r"go through\b",
                r"before recommending\b",
                r"work (?:through|out)\b",
                r"in this order\b",
                r"one (?:step|operation) (?:at a time|per line|a line)\b",
                r"step 1\b",
            )
            + r"|(?:\A|[.!?:>\n]\s{0,3})first,? (?!sentence|line|word|paragraph)[^\n]{5,300}\b(?:then|next|second|after that|finally|last)\b",
        ),
        "constraints": _component(
            "constraints?|rules?|requirements?|guidelines?|limits?|restrictions?|must|do not|don ts?|scope|boundaries",
            r"\b(?:do not|don't|must not|mustn't|must|never|avoid|only use|use only|without (?:using|changing|mention\w*|adding|naming)|always|should not|"
            r"leave out|exclude|keep (?:the|all|every|its|to|names|numbers|deadlines)|stick to|may not|must stay|not allowed|forbidden|cannot exceed|refrain|skip|instead of|rather than|preserve|only (?:mention|cite|include|rely|name|what)|leave (?:the|all|every|names|code)|stay within|no (?:jargon|emojis?|adjectives|new|other|external|third-party|more|hashtags|spoilers|invented))\b|(?:\A|[.!?:>\n-]\s{0,3})(?:no|nothing) [a-z]+",
        ),
        "success": _component(
            "success criteria|criteria|acceptance criteria|definition of done|quality|quality bar|checklist|check|checks|done when|self check|before you finish|evaluation",
            r"\b(?:success(?:ful)?|criteri(?:a|on)|acceptable|done when|is (?:good|complete|done|right|finished|correct) (?:if|when)|are (?:good|complete|done|right|finished) (?:if|when)|"
            r"good (?:[a-z]+ ){1,3}(?:is|are|has|have|lets?|makes?|shows?|names?|tells?|says?|answers?|leaves?|can)|should be able to|must pass|passes|check (?:that|whether|your|each|the)|verify|make sure|double-check|confirm that|"
            r"works? if|succeeds? (?:if|when)|i will judge|judged (?:by|on)|the measure|(?:is|are) (?:a success|good enough|ready|accepted|useful) (?:if|when)|i am happy (?:if|when)|counts as (?:done|good)|good enough)\b",
        ),
        "technology": _component(
            "technology|environment|stack|language|versions?",
            r"\b(?:python|javascript|typescript|java|kotlin|swift|rust|go(?:lang)?|c\+\+|c#|ruby|php|scala|"
            r"bash|shell|powershell|postgres(?:ql)?|mysql|sqlite|bigquery|html|css|react|vue|angular|svelte|node|"
            r"django|flask|fastapi|spring|rails|terraform|docker|kubernetes|excel|r script|matlab|pandas|numpy|pytest|haskell|elixir|lua|perl|dart|julia)\b|c\+\+|c#",
        ),
        "symptom": _component(
            "symptoms?|error|expected|actual|observed",
            r"\b(?:expected|instead|should (?:return|print|give|be|have)|error|exception|traceback|crash(?:es|ed)?|fails?|"
            r"failing|wrong (?:result|output|answer)|hangs|times? out|leaks?|slow|returns (?:nothing|none|null|the wrong)|raises|throws|prints|does(?: not|n't)|never (?:ends|finishes|returns))\b",
        ),
        "uncertainty": _component(
            "uncertainty|if unsure|missing information|refusals?|unknowns?|edge cases?|when unsure|fallback",
            r"\b(?:if|where) [^.\n]{0,80}(?:\b(?:not|no|none|cannot|missing|unsure|unclear|uncertain|lacks?|unknown|ambiguous|absent|neither|in doubt|empty|"
            r"off-topic|insufficient|impossible|equally|both|depends)\b|n't\b)"
            r"|\b(?:when|where|in case) (?:[^.\n]{0,40})\b(?:unsure|uncertain|unclear|in doubt|missing|not know|no evidence|ambiguous|unknown|not enough)\b|\b(?:rather than|instead of) guess\w*|\bwhat (?:cannot|can't|you cannot|you can't|is not)\b|\bcannot be (?:decided|determined|known|seen|told)\b|\bleave (?:it|the field|that field|the value) (?:empty|blank|out)\b|\bdo(?:es)? not know\b|\b(?:do not|don't|never) (?:guess|invent|make up|speculate|assume|fabricate)|\bsay (?:so|that you)|\b(?:unknown|null|not stated|n/a|unclear|cannot tell)\b",
        ),
        "data_rule": _component(
            "",
            r"\b(?:(?:is|are|as|only) (?:the )?(?:data|material|content|quoted|untrusted)\b|never (?:as )?instructions|not (?:as )?(?:an? )?(?:instructions?|commands?|orders?)\b"
            r"|(?:ignore|follow no|do not follow|don't follow|never follow|do not obey|never obey|disregard) (?:any |the )?(?:instructions?|commands?|requests?|orders?)"
            r"|whatever (?:it|they|he|she|the [a-z]+) (?:asks?|says?|demands?|wants?|orders?)\b|(?:can't|cannot|doesn't|does not|don't|never) (?:change|alter|override) (?:the|these|your|this|its)\b"
            r"|never (?:be )?obeyed|(?:requests?|orders?|messages?) to (?:you|the (?:system|model|reader|marker))\b)",
        ),
    }
)


def data_name(placeholder: str) -> str:
    """Return the word by which a placeholder is known as data, or an empty text.

    >>> [data_name(text) for text in ("{{customer_email}}", "{city}", "[PASTE TEXT HERE]")]
    ['email', '', 'text']
    """
    if placeholder.startswith("[FILL IN:"):
        return ""
    words: list[str] = _NAMED.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", placeholder).lower())
    return next((word for word in reversed(words) if word in _DATA), "")


def bare_placeholders(parts: PromptParts) -> tuple[Part, ...]:
    """Return placeholders of data of which nothing shows where the data begin and end."""
    marked = [part for part in data_places(parts) if part.kind != "placeholder"]
    seen = {
        parts.text[part.start : part.end]
        for part in parts.of("placeholder")
        if any(outer.start < part.start < outer.end for outer in marked)
    }
    bare: list[Part] = []
    for part in data_places(parts):
        text = parts.text[part.start : part.end]
        if part.kind != "placeholder" or text in seen or fills_tags(parts.text, part):
            continue
        seen.add(text)
        if not has_borders(parts.text, part):
            bare.append(part)
    return tuple(bare)


def data_places(parts: PromptParts) -> tuple[Part, ...]:
    """Return what the task works on: elements of data, blocks, long quotes, placeholders of data.

    What lies inside of another is left out.
    """
    found = [*parts.data_elements, *parts.of("fence")]
    places = [part.start for part in parts.of("placeholder")]
    for part in parts.of("quote", "placeholder"):
        text = parts.text[part.start : part.end]
        if part.kind == "placeholder":
            if data_name(text) or _fills_its_line(parts.text, part):
                found.append(part)
        elif text.startswith(('"""', ">")) or len(text) > _LONG_QUOTE or _holds(places, part):
            found.append(part)
    outer: list[Part] = []
    for part in sorted(found, key=lambda part: (part.start, -part.end)):
        if not outer or part.start >= outer[-1].end:
            outer.append(part)
    return tuple(outer)


def _fills_its_line(text: str, part: Part) -> bool:
    """Say whether nothing else stands on its line; only blanks around it are looked at."""
    start = part.start
    while start and text[start - 1] != "\n" and text[start - 1].isspace():
        start -= 1
    is_first = start == 0 or text[start - 1] == "\n"
    is_alone = is_first and _REST_OF_LINE.match(text, part.end) is not None
    return is_alone and not text.startswith("[FILL IN:", part.start)


def _holds(places: list[int], part: Part) -> bool:
    at = bisect_left(places, part.start)
    return at < len(places) and places[at] < part.end

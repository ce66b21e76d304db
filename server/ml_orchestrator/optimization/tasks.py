"""What a prompt asks for: its kind of task, told by verbs at the start of clauses."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from ml_orchestrator.text.prompt_cues import TASK_VERBS
from ml_orchestrator.text.prompt_parts import PromptParts

__all__ = ["OTHER", "VERBS", "Task", "begins_as_task", "tasks_of", "told_of"]

_VERBS_OF: Mapping[str, str] = MappingProxyType(
    {
        "classify": "classify categorize categorise sort label tag triage route group cluster detect",
        "extract": "extract pull parse collect",
        "summarise": "summarize summarise condense recap sum",
        "translate": "translate localize localise",
        "rewrite": "rewrite rephrase paraphrase proofread edit polish shorten reword simplify adapt tighten rework",
        "write": "write draft compose author create generate produce prepare craft make build give provide reply respond",
        "code": "implement code program refactor",
        "debug": "debug fix diagnose troubleshoot",
        "review": "review critique audit assess evaluate grade judge score check rate",
        "analyse": "analyze analyse examine investigate interpret",
        "decide": "compare choose decide recommend rank prioritize prioritise select pick advise",
        "calculate": "calculate compute solve prove estimate determine derive count forecast predict",
        "plan": "plan design outline schedule develop organize organise",
        "brainstorm": "brainstorm list suggest propose name come",
        "answer": "answer tell find identify",
        "explain": "explain describe teach clarify illustrate define",
        "convert": "convert transform reformat format turn",
        "converse": "interview chat talk roleplay",
    }
)
OTHER = "do"  # a task that no component of a prompt is typical of
_TYPICAL = {verb: kind for kind, verbs in _VERBS_OF.items() for verb in verbs.split()}
VERBS: Mapping[str, str] = MappingProxyType({**dict.fromkeys(TASK_VERBS, OTHER), **_TYPICAL})
_VERB = "|".join(sorted(_TYPICAL, key=len, reverse=True))
_NOUNS_AS_WELL = frozenset("report note guide comment document log state order work".split())
_OTHER_VERB = "|".join(sorted(TASK_VERBS - _TYPICAL.keys() - _NOUNS_AS_WELL, key=len, reverse=True))
_PADDING = (
    r"(?:(?:please|kindly|maybe|perhaps|possibly|now|then|first|next|finally|also|carefully|briefly|clearly|just|"
    r"concisely|thoroughly|accurately|critically|systematically)[,]? ){0,5}+"
)
_CLAUSE = re.compile(
    rf"(?:\A|[,;:] |\b(?:and|then|or) |\b(?:can|could|would|will|should|must) you |"
    rf"\b(?:want|need|like|ask|asked|help|task|job|goal|role|aim|let)\b[^.,;\n]{{0,30}}? (?:to |me |is to |us )|"
    rf"\byou(?:'ll| will| should| must| are to| could| can| would) |\bhelp (?:me|us) |\blet's |\bto )"
    rf"{_PADDING}({_VERB})\b(?!-)",
    re.IGNORECASE,
)
_OTHER_TASK = re.compile(
    rf"(?:(?:can|could|would|will|should|must) you |i (?:want|need) you to |let's |help (?:me|us) (?:to )?)?"
    rf"{_PADDING}({_OTHER_VERB})\s+(?!(?:is|are|was|were|has|have|had|of|will|can|should|must)\b)\S",
    re.IGNORECASE,
)
_BEGINS = re.compile(rf"{_PADDING}(?:{_VERB}|{_OTHER_VERB})\b", re.IGNORECASE)
_LABEL = re.compile(r"(?:[*_]{0,3}[A-Za-z ]{1,24}[*_]{0,3}:[*_]{0,3}|\W+)\s*")
_VERB_AS_LABEL = re.compile(rf"{_PADDING}(?:{_VERB})\s*:\s*", re.IGNORECASE)  # please classify:
# Verbs that seldom open a task, with a choice to make or together; they count where no other does.
_CHOICE_OR_TOGETHER = re.compile(
    r"(give|put)\s+(?:the|each|every|this)\b[^.\n]{1,60}\bone of\b|let's ([a-z]+)\b",
    re.IGNORECASE,
)
_NOT_A_TASK = re.compile(
    r"\s+(?:in|as|with|at(?! most| least)|for(?! (?:me|us)\b)|using|sure|only|your (?:answer|response|output|reply))\b",
    re.IGNORECASE,
)
_NO_PRONOUN = r"\s+(?!(?:it|them|out|down)\b|(?:[a-z]+ ){1,3}(?:paragraphs|sentences|lines|sections|bullets)\b(?! (?:on|about|for|that)))"
_ONLY_TASK_IF = {
    "come": r"\s+up\b",
    "sort": r"[^.\n]{1,80}\binto\b",
    "sum": r"\s+up\b",
    "give": r"\s+me\b",
    "provide": r"\s+(?:me|an?)\b",
    "reply": r"\s+to\b",
    "respond": r"\s+to\b",
    "check": r"\s+(?!that|whether|each|your|the (?:result|sums?|answer))",
    **dict.fromkeys(("format", "write", "make", "name", "list", "present", "turn"), _NO_PRONOUN),
}
_NEGATED = re.compile(
    r"\b(?:not|never|don't|avoid|without|cannot|can't)\s+(?:to\s+)?\Z", re.IGNORECASE
)
_CODE = re.compile(
    r"\b(?:function|scripts?|program|code|class|regex|regular expression|quer(?:y|ies)|endpoint|"
    r"unit tests?|tests|test cases?|api|cli|component|module|dockerfile|workflow file|sql|migration)\b",
    re.IGNORECASE,
)
_BUG = re.compile(r"\b(?:bugs?|error|exception|crash|failing|fails|traceback|issue)\b", re.I)
_TEXTUAL = re.compile(r"\b(?:grammar|spelling|typos?|punctuation|wording|tone)\b", re.I)
_IDEAS = re.compile(
    r"\b(?:ideas?|names?(?!,\w)|titles?|suggestions?|options?|headlines?|slogans?)\b", re.I
)
_PLAN = re.compile(
    r"\b(?:plan|schedule|roadmap|itinerary|curriculum|syllabus|strategy|agenda)\b", re.I
)
_WHETHER = re.compile(
    r"\w+ (?:whether|if)\b(?! (?:\w+ ){1,4}(?:should|ought|had better)\b)", re.IGNORECASE
)
_SUMMARY = re.compile(r"\b(?:summary|summaries|abstract|tl;?dr|recap|digest)\b", re.I)
_TABLE = re.compile(r"\binto\b|\bto (?:a |an )?(?:json|csv|yaml|xml|markdown|table|html)\b", re.I)
_CONVERSE = re.compile(
    r"\b(?:i will (?:ask|tell|give|provide|type|write|send)|reply to|respond to|act as|"
    r"(?:talk|speak|chat) (?:to|with)|conversation with)\b",
    re.IGNORECASE,
)
_IN_A_CASE = re.compile(
    r"(?:if|when|where|unless|in case)\b|(?:first,?|before [^,\n]{1,60},) (?:list|name|judge|describe|compare|"
    r"weigh|identify|find|check|state|write down|write out|think)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"\A(?:what|why|how|who|when|where|which|is|are|does|do|did|should|would|can)\b"
    r"|, (?:what|why|how|who|when|where|which)\b",
    re.IGNORECASE,
)
_ASKS_UNMARKED = re.compile(  # a question without its mark, as people type it
    r"(?:how|what|why|where|when|who|which)(?:'s|s)? (?:do|does|did|is|are|was|were|can|could|should|would|will|to|many|"
    r"much|long|old|far)\b[^.!:\n]*\Z",
    re.IGNORECASE,
)
_WANTED = re.compile(
    r"\b(?:i|we) (?:need|want|would like|am looking for) (?:an?|some|your|the) ", re.IGNORECASE
)

MOST_REMEMBERED = 200  # characters of a sentence
_Told = tuple[str, str, int]  # kind, verb, and where that begins in the sentence


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that is asked for: its kind, the verb, and the sentence, with their places."""

    kind: str
    verb: str
    at: int
    sentence: str
    start: int
    end: int

    @property
    def what(self) -> str:
        """What follows the verb in its sentence."""
        return self.sentence[self.at - self.start + len(self.verb) :].strip(" .:?!\n")


def tasks_of(parts: PromptParts) -> tuple[Task, ...]:
    """Return the tasks that a prompt sets, in order; examples and data set none.

    >>> from ml_orchestrator.text.prompt_parts import split_prompt
    >>> [task.kind for task in tasks_of(split_prompt("Read it. Then classify it and explain why."))]
    ['classify', 'explain']
    """
    return tuple(_found(parts)) or tuple(_others(parts))


def begins_as_task(sentence: str) -> bool:
    """Say whether a sentence begins with a verb that asks for something.

    >>> [begins_as_task(text) for text in ("please sort the list.", "the list is sorted.")]
    [True, False]
    """
    return _BEGINS.match(sentence) is not None


def _others(parts: PromptParts) -> Iterator[Task]:
    """Yield tasks of no typical kind; they count only where there is no other."""
    seen = parts.instructions
    for part in parts.of("sentence"):
        prose = seen[part.start : part.end]
        if not _sets_no_task(prose) and (
            match := _OTHER_TASK.match(prose) or _CHOICE_OR_TOGETHER.match(prose)
        ):
            sentence = parts.text[part.start : part.end]
            verb = match.lastindex or 1
            at = part.start + match.start(verb)
            yield Task(OTHER, match[verb], at, sentence, part.start, part.end)


def _found(parts: PromptParts) -> Iterator[Task]:
    seen = parts.instructions.replace("\t", " ")
    for part in parts.of("sentence"):
        prose = seen[part.start : part.end]
        told = told_of if len(prose) <= MOST_REMEMBERED else _told_of_long
        for kind, verb, at in told(prose):
            sentence = parts.text[part.start : part.end]
            yield Task(kind, verb, part.start + at, sentence, part.start, part.end)


@lru_cache(maxsize=4_096)  # a prompt is read again after each change of a few sentences
def told_of(prose: str) -> tuple[_Told, ...]:
    """Return kind, verb and place of each task that a sentence sets."""
    return tuple(_in_sentence(prose))


@lru_cache(maxsize=16)  # each is as long as a prompt may be, at most
def _told_of_long(prose: str) -> tuple[_Told, ...]:
    return tuple(_in_sentence(prose))


def _sets_no_task(prose: str) -> bool:
    """Whether a sentence says what to do in a case, or how to begin, and not what is asked for."""
    return _IN_A_CASE.match(prose) is not None or "only then" in prose


def _in_sentence(prose: str) -> Iterator[_Told]:
    n_found = 0
    label = _LABEL.match(prose)
    is_verb = prose.split(maxsplit=1)[0].lower() in _TYPICAL or _VERB_AS_LABEL.match(prose)
    begin = label.end() if label and not is_verb else 0
    if _sets_no_task(prose[begin:]):
        return
    for match in _CLAUSE.finditer(prose[begin:]):
        at, verb = begin + match.start(1), match[1]
        after = prose[at + len(verb) : at + len(verb) + 40]
        if _NOT_A_TASK.match(after) or _NEGATED.search(prose[max(0, at - 14) : at]):
            continue
        if match.start() > 0 and not after.strip(" .!\n"):  # the last of a list of things
            continue
        if (pattern := _ONLY_TASK_IF.get(verb.lower())) and not re.match(pattern, after):
            continue
        n_found += 1
        yield _kind(verb.lower(), prose[at:]), verb, at
    if not n_found and (kind := _without_verb(prose[begin:])):
        yield kind, "", begin


def _without_verb(prose: str) -> str:
    """Return the kind of task of a sentence in which no verb opens one; empty if it sets none."""
    if _CONVERSE.search(prose):
        return "converse"
    if prose.rstrip().endswith("?") and _QUESTION.search(prose):
        return "answer"
    if _ASKS_UNMARKED.match(prose):
        return "answer"
    return _kind("write", prose) if _WANTED.search(prose) else ""


def _kind(verb: str, rest: str) -> str:
    """Return the kind of task of a verb with what follows it."""
    kind, near = VERBS[verb], rest[:90]
    if kind in {"decide", "calculate", "review"} and _WHETHER.match(near):
        return "classify"
    if kind == "debug":
        return "rewrite" if _TEXTUAL.search(near) else "debug"
    if kind in {"write", "plan"}:
        for pattern, other in (
            (_SUMMARY, "summarise"),
            (_IDEAS, "brainstorm"),
            (_PLAN, "plan"),
            (_CODE, "code"),
        ):
            if pattern.search(near[:60]):
                return other
    if kind == "answer" and _BUG.search(near):
        return "debug"
    if verb == "identify":
        return "extract"
    return kind

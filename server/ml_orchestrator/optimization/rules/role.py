"""The rule that says with whose knowledge to answer."""

import re

from ml_orchestrator.optimization.asked import genre
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Edit, Finding, rule
from ml_orchestrator.optimization.sections import asked

__all__ = ["role"]

_REASON = "The answer depends on expertise, and nothing says whose."
_CERTAIN = 2  # different words of a field, or one in the sentence of the task
# Fields of knowledge by their words; where none is certain, the first of them that occurs.
_FIELDS: tuple[tuple[str, str], ...] = (
    (r"sql|postgres(?:ql)?|mysql|sqlite|database schema", "a database engineer"),
    (r"python|pandas|django|flask|fastapi|pytest", "a senior Python developer"),
    (
        r"typescript|javascript|react(?! to\b)|vue|node\.js",
        "a senior TypeScript and JavaScript developer",
    ),
    (r"java|kotlin|spring boot", "a senior Java developer"),
    (r"rust|golang|go service|c\+\+", "a senior systems programmer"),
    (
        r"kubernetes|docker|terraform|ci pipeline|deployment pipeline|on-call|incident report",
        "a site reliability engineer",
    ),
    (r"vulnerabilit\w+|phishing|owasp|encryption|pentest|threat model", "a security engineer"),
    (
        r"machine learning|linear regression|regression model|a/b test|experiment results|churn",
        "a data scientist",
    ),
    (
        r"(?<!data )(?<!api )(?<!smart )contracts?(?! tests?)|legal|gdpr|liability|lease|nda",
        "a lawyer who drafts and reviews contracts",
    ),
    (
        r"patients|clinical|medical|medication|dosage",
        "a physician who explains with care",
    ),
    (
        r"annual budget|invest(?:ing|ments?|ors?)|tax(?:es)?|cash flow|revenue|invoice|accounting|quarterly",
        "a financial analyst",
    ),
    (
        r"marketing|campaign|landing page|slogan|product description|seo|advert",
        "a marketing copywriter",
    ),
    (
        r"lesson|students?|homework|pupils|curriculum|exam|grade \d+|classroom",
        "an experienced teacher",
    ),
    (r"recipes?|cook(?:ing|book)?|meal|ingredients?|dinner", "an experienced cook"),
    (r"travel|itinerary|road trip|hotel", "a travel planner"),
    (r"workout|training plan|marathon|fitness", "a certified fitness coach"),
    (
        r"job description|job advert|resume|cv|job interview",
        "an experienced recruiter",
    ),
    (r"customer support|support tickets?|complaint|refund", "a customer support lead"),
    (
        r"user interviews?|usability|wireframe|onboarding flow|product requirements?|roadmap",
        "a product manager",
    ),
)
_BY_FIELD = tuple((re.compile(rf"\b(?:{words})\b"), who) for words, who in _FIELDS)
_BY_KIND = {
    "write": "an experienced writer and editor",
    "code": "a senior software engineer",
    "debug": "a senior software engineer who debugs methodically",
    "review": "a careful reviewer",
    "analyse": "a careful analyst",
    "decide": "an advisor who weighs evidence",
    "plan": "an experienced project planner",
    "explain": "a patient teacher",
    "brainstorm": "a creative strategist",
    "converse": "a patient conversation partner",
}


@rule("role", kind="add", order=50)
def role(reading: Reading) -> Finding | None:
    """Say with whose knowledge to answer, drawn from the subject, where expertise shapes it."""
    if not is_needed(reading, "role") or reading.has("role"):
        return None
    if not reading.takes_additions:
        return asked(reading, "Role", _REASON)
    new = f"You are {_who(reading)}."
    begin = len(reading.text) - len(reading.text.lstrip())
    return Finding(
        _REASON,
        begin,
        begin,
        (
            Edit(
                begin,
                begin,
                f"{new}\n\n" if reading.style != "tags" else f"<role>\n{new}\n</role>\n\n",
            ),
        ),
    )


def _who(reading: Reading) -> str:
    if reading.kind == "write" and genre(reading) in {"poem", "haiku", "story", "song"}:
        return "an experienced poet" if genre(reading) != "story" else "an experienced storyteller"
    named = (who for words, who in _BY_FIELD if words.search(reading.prose))
    return _expert(reading) or next(named, _BY_KIND[reading.kind])


def _expert(reading: Reading) -> str | None:
    """Return whose field it is: the task names it, or it is named twice and most often of all."""
    asked = "" if reading.task is None else reading.prose[reading.task.start : reading.task.end]
    named = {
        who: 2 * (words.search(asked) is not None) + len(set(words.findall(reading.prose)))
        for words, who in _BY_FIELD
    }
    most = max(named.values())
    leaders = [who for who, n in named.items() if n == most]
    return leaders[0] if most >= _CERTAIN and len(leaders) == 1 else None

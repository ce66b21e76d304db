"""A prompt as the rules and the rubric read it, once."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType

from ml_orchestrator.optimization.language import language_of
from ml_orchestrator.optimization.part_model import could_be, is_likely, strict_probabilities
from ml_orchestrator.optimization.reading_patterns import COMPONENTS, SIDE_NAME, data_places
from ml_orchestrator.optimization.tasks import Task, begins_as_task, tasks_of
from ml_orchestrator.text.phrases import in_small_letters
from ml_orchestrator.text.prompt_parts import Part, PromptParts, split_prompt

__all__ = ["FILL", "Reading", "fill", "read_prompt"]

FILL = re.compile(r"\[FILL IN: ([^\[\]\n]{1,300})\]")
_ROLE_SENTENCE = re.compile(r"\b(?:you are|act as|as an?) [^.\n]{0,200}")
_ADDED = re.compile(
    rf"\A\s*you are\b|{COMPONENTS['data_rule'][1].pattern}"
)  # sentences that rules write
_VIRTUES = ("role", "output", "examples", "steps", "constraints", "success", "uncertainty")
_BLANK_LINES = re.compile(r"\n[ \t]*\n")
_DEVELOPED = 2
_LONG_WORDS, _STRICT_WORDS, _STRICT_PARAGRAPHS = 90, 105, 3
# What was hardly begun: of up to so many words and no part beside its task. The shortest good
# prompts of other hands are single sentences of 26 words.
_BARE_WORDS = 20
_BARE_VIRTUES = ("output", "examples", "steps", "constraints", "success", "uncertainty")
# How likely a sentence of a long prompt must be a part, with a common wording of it and without:
# among many sentences one looks a little like each part. From prompts that a model did not see.
_STRICT = MappingProxyType(
    {"output": (0.3, 0.4), "constraints": (0.3, 0.65), "uncertainty": (0.1, 0.2)}
)
# The same of a task, with a verb at its beginning and without; and of the likeliest other part's.
_TASK_WITH_VERB, _TASK_WITHOUT, _TASK_SHARE = 0.05, 0.1, 0.2
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def fill(what: str) -> str:
    """Return the mark of something only the author knows, in its one form.

    >>> fill("who reads this")
    '[FILL IN: who reads this]'
    """
    return f"[FILL IN: {what}]"


@dataclass(frozen=True)
class Reading:
    """What a prompt holds; everything is computed when it is first asked for.

    ``prose`` is the instructions without code, data and quotes, as long as the text. ``is_wished``
    says that who asks has named the rules, so they may write where they would else ask.
    """

    parts: PromptParts
    is_wished: bool = False

    @property
    def text(self) -> str:
        """The prompt."""
        return self.parts.text

    @cached_property
    def prose(self) -> str:
        """Its instructions, in small letters, character for character."""
        return in_small_letters(self.parts.instructions)

    @cached_property
    def n_words(self) -> int:
        """Words of instructions."""
        return _count_words(self.prose)

    @cached_property
    def n_words_of_longest_paragraph(self) -> int:
        """Words of instructions in the paragraph that has most; blank lines part paragraphs."""
        return max(map(_count_words, _BLANK_LINES.split(self.prose)))

    @cached_property
    def language(self) -> str:
        """The language of the instructions, of ISO 639-1, or ``und``."""
        return language_of(self.prose)

    @property
    def is_english(self) -> bool:
        """Whether the instructions are in English."""
        return self.language == "en"

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What is asked for, in order; sections about form, limits and the like ask nothing."""
        spans = self.side_sections
        return tuple(
            task
            for task in tasks_of(self.parts)
            if not any(start <= task.start < end for start, end in spans)
        )

    @cached_property
    def side_sections(self) -> tuple[tuple[int, int], ...]:
        """Places of sections that say how to work and what comes out, not what is asked for."""
        spans = []
        headings = [part.start for part in self.parts.of("heading")]
        for part in self.parts.of("element", "heading", "label"):
            if SIDE_NAME.search(part.name.replace("_", " ").lower()):
                spans.append((part.start, self._section_end(part, headings)))
        return tuple(spans)

    def _section_end(self, part: Part, headings: list[int]) -> int:
        if part.kind == "element":
            return part.end
        if part.kind == "heading":
            return next((start for start in headings if start > part.start), len(self.text))
        end = self.text.find("\n\n", part.end)
        return len(self.text) if end < 0 else end

    @cached_property
    def task(self) -> Task | None:
        """The main task: the first that is more than to answer, tell, find or explain."""
        weighty = (task for task in self.tasks if task.kind not in {"answer", "converse"})
        return next(weighty, self.tasks[0] if self.tasks else None)

    @property
    def kind(self) -> str:
        """The kind of the main task, or an empty text."""
        return "" if self.task is None else self.task.kind

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of headings, labels and elements, in small letters and with spaces."""
        return frozenset(
            re.sub(r"[_\W]+", " ", part.name).strip().lower()
            for part in self.parts.of("heading", "label", "element")
        )

    @cached_property
    def data(self) -> tuple[Part, ...]:
        """Places of data that the task works on, in order; see ``data_places``."""
        return data_places(self.parts)

    @cached_property
    def open_fills(self) -> tuple[str, ...]:
        """What the author still has to fill in."""
        return tuple(match[1] for match in FILL.finditer(self.text))

    def has(self, component: str) -> bool:
        """Say whether a component is there: by a section's name, by how it is said, or likely.

        Likely is what a sentence is by the model of parts, whatever its words. In a long prompt the
        parts that every prompt needs must be likely, since some sentence has their common words.
        """
        if component not in self._had:
            self._had[component] = self._finds(component)
        return self._had[component]

    @cached_property
    def _had(self) -> dict[str, bool]:
        """What ``has`` found before: several rules ask for the same."""
        return {}

    @cached_property
    def _shown(self) -> dict[str, bool]:
        """What ``shows`` found before."""
        return {}

    def _finds(self, component: str) -> bool:
        if self._is_read_strictly and component in _STRICT:
            return self._is_named(component) or self._has_likely(component)
        return self.shows(component) or any(could_be(component, each) for each in self.sentences)

    def _has_likely(self, component: str) -> bool:
        with_wording, without = _STRICT[component]
        said = COMPONENTS[component][1]
        return any(
            is_likely(component, each, without)
            or (is_likely(component, each, with_wording) and said.search(each) is not None)
            for each in self.sentences
        )

    def shows(self, component: str) -> bool:
        """Say whether a component is there by a section's name or a common wording."""
        if component not in self._shown:
            prose = self._about_others if component == "audience" else self.prose
            is_said = COMPONENTS[component][1].search(prose) is not None
            self._shown[component] = is_said or self._is_named(component)
        return self._shown[component]

    def _is_named(self, component: str) -> bool:
        own = self.names - {"output"} if "input" in self.names else self.names
        return any(COMPONENTS[component][0].search(name) for name in own)

    @cached_property
    def asks(self) -> bool:
        """Whether something is asked for; in a long prompt it must be named, asked or likely."""
        if "task" in self.names or not self._is_read_strictly:
            return "task" in self.names or bool(self.tasks)
        is_question = any(not task.verb and task.kind == "answer" for task in self.tasks)
        return is_question or any(map(_could_be_task, self._unnamed_sentences))

    @cached_property
    def is_long(self) -> bool:
        """Whether so much stands beside named sections that what is not there was not wanted."""
        return self._n_unnamed_words >= _LONG_WORDS

    @cached_property
    def _is_read_strictly(self) -> bool:
        n_paragraphs = 1 + len(_BLANK_LINES.findall(self.text.strip()))
        return n_paragraphs >= _STRICT_PARAGRAPHS and self._n_unnamed_words >= _STRICT_WORDS

    @cached_property
    def _n_unnamed_words(self) -> int:
        inside = sum(_count_words(self.prose[start:end]) for start, end in self.side_sections)
        return self.n_words - inside

    @cached_property
    def is_bare(self) -> bool:
        """Whether hardly more than a task stands here, so that much is certainly missing.

        Sections with a name, a role and a word on data count for nothing: rules add those, and what
        was bare stays bare for the rules that come after them. Nor do data.
        """
        if self.style != "labels":
            return False
        said = (each for each in self._unnamed_sentences if _WORD.search(each))
        own = [each for each in said if not _ADDED.search(each)]
        if sum(map(_count_words, own)) > _BARE_WORDS:
            return False
        beside = [each for each in own if each in self.sentences]  # the main task counts as a task
        return not any(_says(part, each) for part in _BARE_VIRTUES for each in beside)

    @cached_property
    def takes_additions(self) -> bool:
        """Whether rules write what they do not see; in any other prompt they ask about it."""
        return self.is_bare or (self.is_wished and not self.is_long)

    @cached_property
    def is_developed(self) -> bool:
        """Whether it was written with care: several parts beside the task are there."""
        return self._n_virtues >= _DEVELOPED

    @cached_property
    def _n_virtues(self) -> int:
        return sum(map(self.has, _VIRTUES))

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Sentences in small letters beside the main task and sections that have a name."""
        main = "" if self.task is None else self.prose[self.task.start : self.task.end]
        return tuple(each for each in self._unnamed_sentences if each != main)

    @cached_property
    def _unnamed_sentences(self) -> tuple[str, ...]:
        aside = self.side_sections
        return tuple(
            self.prose[part.start : part.end]
            for part in self.parts.of("sentence")
            if not (aside and any(start <= part.start < end for start, end in aside))
        )

    @cached_property
    def _about_others(self) -> str:
        """The prose without sentences that give the model a role, which name its trade."""
        return _ROLE_SENTENCE.sub("", self.prose)

    @property
    def style(self) -> str:
        """How sections are marked here: ``tags``, ``headings`` or ``labels``."""
        data = {(part.start, part.end) for part in self.data}
        if any((part.start, part.end) not in data for part in self.parts.of("element")):
            return "tags"
        return "headings" if self.parts.of("heading") else "labels"


def _says(part: str, sentence: str) -> bool:
    return COMPONENTS[part][1].search(sentence) is not None or could_be(part, sentence)


def _could_be_task(sentence: str) -> bool:
    chances = dict(strict_probabilities(sentence))
    chance = chances.pop("task")
    least = _TASK_WITH_VERB if begins_as_task(sentence) else _TASK_WITHOUT
    return chance >= max(least, _TASK_SHARE * max(chances.values()))


def _count_words(text: str) -> int:
    return len(_WORD.findall(text))


@lru_cache(maxsize=16)
def read_prompt(text: str, *, is_wished: bool = False) -> Reading:
    """Read a prompt: any text, in time proportional to its length; the last ones are kept."""
    parts = read_prompt(text).parts if is_wished else split_prompt(text)
    return Reading(parts, is_wished)

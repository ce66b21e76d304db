"""Parts of prompts: what they look like, where they are, and how long it takes to find them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_orchestrator.text.prompt_parts import KEPT_KINDS, KINDS, PromptParts, split_prompt

PROMPT = '''# Role
You are an editor, e.g. for Dr. Smith.
Wrapped line goes
on here. It costs $5.50 and 20%.

Context: the file "a b" and 'c d' at https://x.org/a?b=1.
- Do not use 3 words
1. Say <city> and {{name}} $FOO [YOUR NAME] [link](http://x) [FILL IN: the tone]

<doc type="x">
{text}
</doc>
```python
x = {"a": 1}  # "no quote"
```
"""data
here"""
> quoted
> more
'''


@pytest.fixture(scope="module")
def parts() -> PromptParts:
    return split_prompt(PROMPT)


def test_each_kind_of_part_is_found_as_it_stands(parts: PromptParts) -> None:
    assert parts.texts("fence") == ('```python\nx = {"a": 1}  # "no quote"\n```',)
    assert parts.texts("quote") == ('"a b"', "'c d'", '"""data\nhere"""', "> quoted\n> more")
    assert parts.texts("url") == ("https://x.org/a?b=1", "http://x")
    assert parts.texts("placeholder") == (
        "<city>",
        "{{name}}",
        "$FOO",
        "[YOUR NAME]",
        "[FILL IN: the tone]",
        "{text}",
    )
    assert parts.texts("tag") == ('<doc type="x">', "</doc>")
    assert [part.name for part in parts.of("element", "heading", "label")] == [
        "Role",
        "Context",
        "doc",
    ]
    assert parts.texts("number") == ("$5.50", "20%", "3", "1")
    assert parts.texts("list_item")[0] == "- Do not use 3 words"
    assert parts.texts("sentence")[:4] == (
        "Role",
        "You are an editor, e.g. for Dr. Smith.",
        "Wrapped line goes\non here.",
        "It costs $5.50 and 20%.",
    )


def test_chinese_sentences_end_where_they_do() -> None:
    text = "用中文总结下面的文章。不要超过100字。"
    assert split_prompt(text).texts("sentence") == ("用中文总结下面的文章。", "不要超过100字。")


@pytest.mark.parametrize(
    "text",
    [
        "Users' and the customers' data.",
        "It's 5\" wide; don't 'guess",
        "a < b and c > d",
        "Set notation {1, 2}",
        "Tick [ ] and [x]; see [this](other).",
    ],
)
def test_what_only_looks_like_a_kept_part_is_prose(text: str) -> None:
    assert split_prompt(text).texts(*KEPT_KINDS) == ()


def test_instructions_leave_out_what_elements_hold_as_data() -> None:
    text = "Sum up.\n<doc>\nIgnore that. {body}\n</doc>\n<rules>Be kind.</rules>"
    seen = split_prompt(text).instructions
    assert len(seen) == len(text)
    assert "Ignore" not in seen
    assert "Be kind." in seen


def test_an_open_block_of_code_reaches_to_the_end() -> None:
    assert split_prompt("Fix:\n```\nx = 1\n").texts("fence") == ("```\nx = 1",)


@given(st.text(alphabet="aA1 .\n`\"'<>/{}[]$#-:>“”。!\\", max_size=200) | st.text(max_size=100))
def test_any_text_can_be_split_and_parts_lie_inside_of_it(text: str) -> None:
    parts = split_prompt(text)
    assert len(parts.prose) == len(parts.instructions) == len(text)
    for part in parts.parts:
        assert part.kind in KINDS
        assert 0 <= part.start < part.end <= len(text)
    fences = parts.of("fence", "inline_code")
    assert not any(
        code.start < part.start < code.end for code in fences for part in parts.of(*KEPT_KINDS)
    ), "nothing is looked for in code"


def test_a_tag_that_names_an_element_is_no_placeholder() -> None:
    parts = split_prompt("Sum up the mail in <mail> for <name>.\n<mail>\n{mail}\n</mail>")
    assert parts.texts("tag") == ("<mail>", "<mail>", "</mail>")
    assert parts.texts("placeholder") == ("<name>", "{mail}")


def test_a_line_that_closes_a_block_of_code_may_open_the_next_one() -> None:
    parts = split_prompt("```\none\n``` Then this: ```python\ntwo\n``` and no more.")
    assert parts.texts("fence") == ("```\none\n```", "```python\ntwo\n```")
    assert parts.texts("sentence") == ("Then this:", "and no more.")


def test_a_block_of_quoted_lines_is_one_quote_that_ends_before_its_blanks() -> None:
    lines = "\n".join(f"> line {k}" for k in range(2_000))
    assert split_prompt(f"Sum up:\n{lines}  \n\nNow.").texts("quote") == (lines,)


def test_plain_words_at_the_end_are_no_pieces_and_other_names_are() -> None:
    prose = "call load() in Main.py, then wait "
    pieces = split_prompt(prose).pieces
    assert pieces == ((5, "load"), (15, "Main.py"))
    assert split_prompt("only plain words here ").pieces == ()

"""Prompts with paragraphs, tables and borders of their own come back as they were."""

import pytest

from ml_orchestrator.optimization.improve import candidates, improve
from ml_orchestrator.optimization.reading import read_prompt
from ml_orchestrator.optimization.rubric import score_prompt
from ml_orchestrator.text.prompt_parts import split_prompt

PARAGRAPHS = (
    "I need one query that gives the share of customers who left, per plan and month of 2024.\n\n"
    "For us a customer has left in the month in which the last paid subscription ends without "
    "another one within 30 days. Pauses do not count. Finance will paste the result into a "
    "slide, so the numbers have to agree with theirs.\n\n"
    "| table | column | remark |\n|---|---|---|\n| subs | ends_on | NULL while it runs |\n\n"
    "Standard SQL, with a comment over each part. Columns: month, plan, share, sorted by month. "
    "No temporary tables, no functions of our own. Always name the columns; never use a star.\n\n"
    "It is good if a customer who ends on 31 March and comes back on 20 April is not counted. "
    "If a definition is missing, say which one instead of guessing. For example, a customer "
    "with two plans counts once for each of them.\n\n"
    "Return the query alone, in a code block, and below it one line for every assumption that "
    "you had to make. First write down the grain of the result, then the joins, and the filters "
    "last."
)


def test_a_prompt_of_paragraphs_and_a_table_is_not_cut_into_sections() -> None:
    assert read_prompt(PARAGRAPHS).n_words > 120
    assert "structure" not in candidates(PARAGRAPHS)


def test_a_long_prompt_without_a_role_is_given_none() -> None:
    assert (read_prompt(PARAGRAPHS).is_long, "role" in candidates(PARAGRAPHS)) == (True, False)
    assert "role" in candidates("Write a Python function that parses dates.")


def share_marked_off(prompt: str) -> float:
    """Return what the rubric says of the data."""
    (score,) = (each.score for each in score_prompt(prompt).criteria if each.name == "data")
    return score


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("--- original letter ---", "--- end of letter ---"),
        ("BEGIN ROWS", "END ROWS"),
        ("[ROWS]", "[/ROWS]"),
        ("<<<", ">>>"),
        ("-----", "-----"),
        ("----- LETTER BEGIN -----", "----- LETTER END -----"),
        ("## Letter", ""),
    ],
)
def test_borders_of_every_kind_mark_data_off(before: str, after: str) -> None:
    prompt = f"Summarise the letter in 3 sentences.\n\n{before}\n{{letter}}\n{after}"
    assert "data_safety" not in candidates(prompt)
    assert share_marked_off(prompt) == 1


@pytest.mark.parametrize("after", ["Endings matter to us. Keep them.", "", "Thanks!"])
def test_a_line_that_only_follows_is_no_border(after: str) -> None:
    prompt = f"Summarise the letter in 3 sentences.\n\nLetter\n{{letter}}\n{after}"
    assert "data_safety" in candidates(prompt)
    assert share_marked_off(prompt) == 0


def test_actually_is_padding_only_where_a_comma_says_so() -> None:
    assert "actually does" in improve("List what a visitor actually does, in 5 lines.").text
    shorter = improve("Actually, list the 5 birds that we see most in Wales.", ["brevity"]).text
    assert shorter == "List the 5 birds that we see most in Wales."


def test_long_parts_of_a_sentence_are_no_options() -> None:
    asked = (
        "Compare the supplier's limitation of liability clause with our standard one and tell me "
        "where theirs is worse for us, and decide which of the clauses we can sign."
    )
    added = improve(asked, ["step_by_step"]).text.removeprefix(asked)
    assert "limitation of liability" not in added


def test_marks_that_wait_for_the_author_earn_nothing() -> None:
    asked = "Write a blog post about tea."
    with_marks = improve(asked)
    lines = with_marks.text.split("\n")
    without = "\n".join(line for line in lines if "[FILL IN:" not in line)

    assert without != with_marks.text
    assert with_marks.score_before < with_marks.score_after <= score_prompt(without).score


@pytest.mark.parametrize("name", ["guidelines", "rules", "task_text", "handbook"])
def test_data_alone_between_tags_of_any_name_are_marked_off_and_stay_once(name: str) -> None:
    prompt = (
        f"Answer the question from the guidelines, in one sentence.\n\n<{name}>\n"
        "{guidelines_2025}\n</" + name + ">"
    )
    assert "data_safety" not in candidates(prompt)
    once = improve(prompt).text
    assert (once.count(f"<{name}>\n"), improve(once).text) == (1, once)


def test_examples_are_missed_where_the_prompt_is_for_many_texts() -> None:
    said = "Classify the mail as urgent or not. Return the label alone."
    assert "examples" in candidates(f"{said}\n\n<mail>\n{{mail}}\n</mail>")
    assert "examples" not in candidates(f"{said}\n\n<mail>\nThe lift is stuck again.\n</mail>")


def test_a_task_taken_out_of_a_long_prompt_is_asked_for_and_nothing_is_changed() -> None:
    task, rest = PARAGRAPHS.split("\n\n", 1)
    assert task.startswith("I need one query")
    result = improve(rest, ["task"])
    assert (result.diff, result.applied) == ("", ())
    assert result.questions == ("What is to be done, as a verb and its object?",)
    assert "task" not in candidates(PARAGRAPHS)


def test_who_may_not_be_asked_learns_what_was_held_back() -> None:
    rest = PARAGRAPHS.split("\n\n", 1)[1]
    result = improve(rest, ["task"], may_ask=False)
    assert (result.text, result.questions) == (rest, ())
    assert [each.rule for each in result.skipped] == ["task"]


def test_one_polite_word_in_a_long_prompt_is_named_and_left() -> None:
    polite = PARAGRAPHS.replace("Always name", "Please always name")
    result = improve(polite, ["brevity"])
    assert (result.text, len(result.questions)) == (polite, 1)
    assert "Please" not in improve("Please sum up the report.", ["brevity"]).text


@pytest.mark.parametrize(
    "prompt",
    [
        "Give the comment in <c> one of our codes: GEM, ANL.\n\n<c>\n{comment}\n</c>",
        "Put the ticket in one of the queues: damage, theft.",
        "Let's practise the conversation about my salary.",
        "Maybe write something about osmosis for my class.",
        "Two ferries leave at 6:00. From 6:00 to 9:00, what is the largest number of trips?",
    ],
)
def test_a_task_in_uncommon_words_is_one(prompt: str) -> None:
    assert "task" not in candidates(prompt)


@pytest.mark.parametrize(
    ("prompt", "wish"),
    [
        (
            "Make the note below easier for my gran to read.\n\n"
            "Every time and every number must survive untouched.\n\n"
            "Attendees are requested to ring 01632 960 114 by 10.40 am.",
            "Every time and every number must survive untouched.",
        ),
        (
            "Suggest headlines for this local story: the council closes the ferry from 1 March.\n\n"
            "Six candidates, none above 60 characters.\n\n"
            "A passenger should learn at once that the boat stops.",
            "A passenger should learn at once that the boat stops.",
        ),
        (
            "Shorten the memo below.\n\nIt lies between the dashes:\n---\nPursuant to your "
            "enquiry, the clinic will be held on Tuesday.\n---\n\nAnswer in one sentence.",
            "Answer in one sentence.",
        ),
    ],
)
def test_what_the_author_says_beside_a_text_is_not_made_data(prompt: str, wish: str) -> None:
    parts = split_prompt(improve(prompt).text)
    inside = [parts.text[part.start : part.end] for part in parts.of("element")]

    assert wish in parts.text
    assert not any(wish in text for text in inside)

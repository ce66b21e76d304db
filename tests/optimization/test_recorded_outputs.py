"""Scoring recorded outputs by checks, without any model."""

import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization.copying import copied_passage
from ml_orchestrator.optimization.reflective import checks
from ml_orchestrator.optimization.reflective.checks import refuse_bad_checks, score_outputs
from ml_orchestrator.optimization.reflective.models import Check

SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "integer"}}}


def test_plain_checks_compare_text() -> None:
    several = [
        Check(kind="exact"),
        Check(kind="contains", value="FOR"),
        Check(kind="lacks", value="2"),
    ]
    assert score_outputs([(" 42 ", "42", several), ("for 1", "for 1", several)]) == [
        (pytest.approx(1 / 3), ["contains: FOR", "lacks: 2"]),
        (1.0, []),
    ]


def test_patterns_and_schemas_are_tried_in_a_process_of_their_own() -> None:
    tasks = [
        ("id: 17", None, [Check(kind="regex", value=r"^id: \d+$")]),
        ('{"answer": 4}', None, [Check(kind="json_schema", value=SCHEMA)]),
        ('{"answer": "4"}', None, [Check(kind="json_schema", value=SCHEMA)]),
        ("no json", None, [Check(kind="json_schema", value=SCHEMA)]),
    ]
    assert [score for score, _ in score_outputs(tasks)] == [1.0, 1.0, 0.0, 0.0]


def test_a_pattern_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LIMIT_S", 1.5)
    endless = [Check(kind="regex", value=r"(a+)+$")]
    with pytest.raises(InvalidInputError, match="Simplify the patterns"):
        score_outputs([("a" * 64 + "b", None, endless)])


def test_a_schema_that_is_none_or_lies_elsewhere_is_refused() -> None:
    for schema, fault in (
        ({"type": "nonsense"}, "'nonsense' is not valid"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "http://127.0.0.1:9/schema"),
    ):
        with pytest.raises(InvalidInputError, match=fault):
            score_outputs([("{}", None, [Check(kind="json_schema", value=schema)])])


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (Check(kind="exact"), "has no value"),
        (Check(kind="json_schema", value="{}"), "takes a schema as value"),
        (Check(kind="regex", value="(a"), "cannot be read"),
    ],
)
def test_checks_that_cannot_be_used_are_refused(check: Check, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        refuse_bad_checks([check], None)


def test_five_words_in_a_row_are_a_copy_and_what_was_there_before_is_none() -> None:
    source = "Ship the blue parcel to the old harbour."
    assert copied_passage("Then ship the blue parcel to Rome", [source]) == (
        "ship the blue parcel to"
    )
    assert copied_passage("Then ship the blue parcel", [source]) is None
    assert copied_passage(f"Note: {source}", [source], allowed=source) is None

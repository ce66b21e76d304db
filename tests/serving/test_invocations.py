"""MLflow's ``/invocations``: every form of input, bad ones, and malicious ones."""

import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, Ridge
from tests.serving.http_server import Reply, http_server, send
from tests.serving.models import Copy, Description

from ml_orchestrator.lifecycle.signature import signature_columns
from ml_orchestrator.serving.address import Address
from ml_orchestrator.serving.app import Limits
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.training.preprocessing import FeatureKinds, build_pipeline
from ml_orchestrator.training.trainer import Needs
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
MIXED, NUMBERS = "mixed", "numbers"
MAX_BODY_BYTES = 200_000


def table(kind: str) -> pd.DataFrame:
    """60 rows: only numbers, or of every type with missing values."""
    rng = np.random.default_rng(3)
    numbers = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60) * 1e6})
    if kind == NUMBERS:
        return numbers
    moments = pd.Series(pd.date_range("2025-01-31 10:00:00", periods=60, freq="13h"))
    return numbers.assign(
        a=numbers["a"].where(numbers["a"] > -1),
        n=rng.integers(0, 9, size=60),
        city=pd.Series(rng.choice(["Ulm", "Köln, am Rhein", 'a "b"'], size=60), dtype=object),
        flag=rng.random(60) > 0.5,
        when=moments.astype("datetime64[us]"),
    )


def fitted(kind: str, frame: pd.DataFrame) -> Any:
    """A pipeline as training makes them: a classifier on the mixed table, else a regression."""
    kinds = FeatureKinds(
        numeric=tuple(c for c in ("a", "b", "n") if c in frame),
        boolean=("flag",) if "flag" in frame else (),
        categorical=("city",) if "city" in frame else (),
        temporal=("when",) if "when" in frame else (),
    )
    target = frame["b"] > 0
    needs = Needs(scales=True, imputes=True, categories="one_hot")
    if kind == NUMBERS:
        return build_pipeline(kinds, needs, Ridge()).fit(frame, frame["b"] * 2)
    labels = np.where(target, "yes", "no")
    return build_pipeline(kinds, needs, LogisticRegression()).fit(frame, labels)


class Served:
    """One model behind HTTP, beside the model itself."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.frame = table(kind)
        self.model = fitted(kind, self.frame)
        skops.io.dump(self.model, folder / "model.skops")
        inputs = json.dumps(
            [
                {"name": name, "type": type_, "required": required}
                for name, type_, required in signature_columns(self.frame)
            ]
        )
        self.slots = ModelSlots(kind, in_process(self._checkout, extra_trusted=EXTRA_TRUSTED_TYPES))
        self._copy = Copy(folder, Description("model.skops", inputs), "digest")
        self.slots.start(1)
        self.address: Address

    @contextmanager
    def _checkout(self, _: int) -> Iterator[Copy]:
        yield self._copy

    def post(self, body: Any, content_type: str = "application/json") -> Reply:
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return send(self.address, "/invocations", content, content_type=content_type)

    @property
    def own(self) -> list[Any]:
        answers: list[Any] = self.model.predict(self.frame).tolist()
        return answers


@pytest.fixture(scope="module", params=[NUMBERS, MIXED])
def any_kind(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Served]:
    served = Served(request.param, tmp_path_factory.mktemp(request.param))
    with http_server(served.slots, limits=Limits(max_body_bytes=MAX_BODY_BYTES)) as address:
        served.address = address
        yield served


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any) -> Iterator[Served]:
    served = Served(MIXED, tmp_path_factory.mktemp("one"))
    with http_server(served.slots, limits=Limits(max_body_bytes=MAX_BODY_BYTES)) as address:
        served.address = address
        yield served


def rows(frame: pd.DataFrame) -> list[list[Any]]:
    content = json.loads(frame.to_json(orient="split", date_format="iso", double_precision=15))
    data: list[list[Any]] = content["data"]
    exact = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    for row, precise in zip(data, exact, strict=True):
        for place, value in enumerate(precise):
            row[place] = value if isinstance(value, float | int) else row[place]
    return data


def split(frame: pd.DataFrame) -> Any:
    return {"dataframe_split": {"columns": list(frame.columns), "data": rows(frame)}}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in rows(frame)]


def by_column(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return dict(zip(frame.columns, map(list, zip(*rows(frame), strict=True)), strict=True))


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "dataframe_split": split,
    "dataframe_split, shuffled columns, index": lambda f: {
        "dataframe_split": {
            **split(f.iloc[:, ::-1])["dataframe_split"], "index": list(range(len(f))),
        }
    },
    "dataframe_records": lambda f: {"dataframe_records": records(f)},
    "instances of records": lambda f: {"instances": records(f)},
    "instances of lists": lambda f: {"instances": rows(f)},
    "inputs by column": lambda f: {"inputs": by_column(f)},
    "inputs of records": lambda f: {"inputs": records(f)},
    "inputs of lists": lambda f: {"inputs": rows(f)},
    "with params, which no model of ours declares": lambda f: {**split(f), "params": {"x": 1}},
    "with columns the model does not know": lambda f: split(f.assign(zz=1)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_served_prediction_is_the_models_own(any_kind: Served, form: str) -> None:
    reply = any_kind.post(FORMS[form](any_kind.frame))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json == {"predictions": any_kind.own}


@pytest.mark.parametrize("content_type", [CSV, f"{CSV}; charset=utf-8", PARQUET])
def test_tables_in_files_give_the_models_own_predictions(
    any_kind: Served, content_type: str
) -> None:
    if content_type == PARQUET:
        file = io.BytesIO()
        any_kind.frame.to_parquet(file)
        body = file.getvalue()
    else:
        body = any_kind.frame.to_csv(index=False).encode()
    assert any_kind.post(body, content_type).json == {"predictions": any_kind.own}


def test_one_row_may_come_as_plain_values(any_kind: Served) -> None:
    (record,) = records(any_kind.frame.head(1))
    for body in ({"inputs": record}, {"inputs": list(record.values())}):
        assert any_kind.post(body).json == {"predictions": any_kind.own[:1]}


@pytest.mark.parametrize("form", [CSV, *(form for form in FORMS if not form.endswith("of lists"))])
def test_a_column_may_be_without_values_but_not_without_its_name(served: Served, form: str) -> None:
    empty = served.frame.assign(a=math.nan)
    mistyped = empty.rename(columns={"a": "A"})
    bodies = [
        frame.to_csv(index=False).encode() if form == CSV else FORMS[form](frame)
        for frame in (empty, mistyped)
    ]
    content_type = [CSV] if form == CSV else []
    good, bad = (served.post(body, *content_type) for body in bodies)

    assert good.json == {"predictions": served.model.predict(empty).tolist()}
    assert bad.status == 400
    assert "missing inputs a; send null" in bad.json["message"]
    assert "does not know A" in bad.json["message"]


def changed(column: str, value: Any) -> Any:
    def body(frame: pd.DataFrame) -> Any:
        (record,) = records(frame.head(1))
        return {"dataframe_records": [{**record, column: value}]}

    return body


REFUSED: dict[str, tuple[Any, int, str]] = {
    "nothing": (b"", 400, "not JSON"),
    "no JSON": (b"{", 400, "not JSON"),
    "no UTF-8": (b'{"inputs": "\xff"}', 400, "UTF-8"),
    "a list": ([1], 400, "must be a JSON dictionary"),
    "no form": ({"rows": []}, 400, "exactly one of"),
    "two forms": ({"inputs": [], "instances": []}, 400, "exactly one of"),
    "chat": ({"messages": [{"role": "user", "content": "x"}]}, 400, "exactly one of"),
    "empty inputs": ({"inputs": []}, 400, "Between 1 and 10000 rows"),
    "empty columns": ({"inputs": {}}, 400, "missing inputs"),
    "too many rows": ({"inputs": [[]] * 10_001}, 400, "Between 1 and 10000 rows"),
    "null": ({"inputs": None}, 400, "A row has not"),
    "ragged": ({"instances": [[1, 2], [1]]}, 400, "A row has not"),
    "mixed": ({"instances": [[1, 2], {"a": 1}]}, 400, "list of lists"),
    "records in a dict": ({"dataframe_records": {"a": 1}}, 400, "list of records"),
    "records of values": ({"dataframe_records": [1]}, 400, "dictionaries only"),
    "split of a list": ({"dataframe_split": [1]}, 400, "dictionary with data"),
    "split, odd field": (
        {"dataframe_split": {"data": [[1]], "dtype": "x"}}, 400, "fields other than",
    ),
    "split, odd names": ({"dataframe_split": {"data": [[1]], "columns": [[]]}}, 400, "names"),
    "split, same names": (
        {"dataframe_split": {"data": [[1, 2]], "columns": ["a", "a"]}}, 400, "different names",
    ),
    "a column missing": ({"inputs": {"a": [1.0]}}, 400, "Model is missing inputs b, city"),
    "lengths differ": (
        lambda f: {"inputs": {**by_column(f.head(2)), "a": [1.0]}}, 400, "differ in length",
    ),
    "text for a number": (changed("b", "1.5"), 400, "column 'b': '1.5' is not a finite number"),
    "true for a number": (changed("b", True), 400, "is not a finite number"),
    "a list for a number": (changed("b", [1]), 400, "is not a finite number"),
    "a number for text": (changed("city", 1), 400, "is not text"),
    "half a whole number": (changed("n", 1.5), 400, "is not a whole number"),
    "missing where it must not": (changed("b", None), 400, "column 'b': None"),
    "no moment": (changed("when", "soon"), 400, "is not a time"),
    "NaN": (b'{"inputs": [[NaN]]}', 400, "NaN is not JSON"),
    "Infinity": (b'{"inputs": [[-Infinity]]}', 400, "-Infinity is not JSON"),
    "1e400": (changed("b", math.inf), 400, "Infinity is not JSON"),
    "1e400 in digits": (
        lambda f: json.dumps(changed("b", 123456)(f)).replace("123456", "1e400"),
        400, "is not a finite number",
    ),
    "beyond 64 bits": (changed("n", 2**63), 400, "a number beyond 64 bits"),
    "beyond a float": (changed("b", 10**400), 400, "a number beyond 64 bits"),
    "ten thousand digits": (b'{"inputs": [[' + b"9" * 10_000 + b"]]}", 400, "too many digits"),
    "deep": (b'{"inputs":' + b"[" * 90_000, 400, "nested too deeply"),
    "deep objects": (b'{"a":' * 20_000, 400, "nested too deeply"),
    "large text": (changed("city", "x" * 20_000), 400, "text of at most 10000"),
    "10 MB": (b" " * 10_000_000, 413, "larger than 200000 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_body_that_does_not_fit_is_refused_with_its_reason(served: Served, name: str) -> None:
    body, status, message = REFUSED[name]
    reply = served.post(body(served.frame) if callable(body) else body)
    assert reply.status == status
    assert set(reply.json) == {"error_code", "message"}
    assert message in reply.json["message"]
    assert len(reply.body) < 1_000  # the body is not repeated
    assert served.post(split(served.frame)).json == {"predictions": served.own}  # still there


@pytest.mark.parametrize(
    ("content_type", "body", "status", "message"),
    [
        ("text/plain", b"x", 415, "only supports application/json, text/csv"),
        ("", b"x", 415, "only supports"),
        ("application/json; charset=latin-1", b"{}", 415, "only supports UTF-8"),
        ("application/json; format=pandas-split", b"{}", 415, "Unrecognized content type param"),
        (CSV, b"", 400, "Between 1 and 10000 rows"),
        (CSV, b"a,b\n1", 400, "has not 2 fields"),
        (CSV, b"a\n1", 400, "Model is missing inputs b"),
        (CSV, b'a,b\n"1', 400, "not CSV"),
        (CSV, b"a\n\xff", 400, "UTF-8"),
        (PARQUET, b"PAR1", 400, "not Parquet"),
        (PARQUET, b"", 400, "not Parquet"),
    ],
)
def test_files_and_types_that_cannot_be_read_are_refused(
    served: Served, content_type: str, body: bytes, status: int, message: str
) -> None:
    reply = served.post(body, content_type)
    assert (reply.status, set(reply.json)) == (status, {"error_code", "message"})
    assert message in reply.json["message"]


@pytest.mark.parametrize("text", ["1.5x", "1_0", "inf", "true"])
def test_a_field_of_csv_must_be_what_its_column_is(served: Served, text: str) -> None:
    frame = served.frame.head(1).astype(object).assign(b=text)
    reply = served.post(frame.to_csv(index=False).encode(), CSV)
    assert reply.status == 400
    assert "column 'b'" in reply.json["message"]

"""From a registered version to a smaller one: real training, real registry, in this process."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ml_orchestrator.compression import measuring
from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.modelfiles.onnx_file import open_onnx
from ml_orchestrator.orchestration.compressing.case import load_case, refuse_looking_back
from ml_orchestrator.orchestration.compressing.checks import check_compression
from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.steps import STEPS, StepContext
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.loader import load_model
from ml_orchestrator.serving.predict import predict
from ml_orchestrator.serving.threaded import Answering
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.blend import BlendedRegressor
from ml_orchestrator.training.past import PastValues
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

TRAINING = {
    "source": "shop.csv",
    "target": "bought",
    "model": "shop",
    "trainers": ["forest"],
    "n_trials": 1,
    "n_folds": 3,
    "refine": False,
    "metric": "log_loss",
    "alias": None,
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Settings]:
    """A project with a registered forest, shop/1, whose rows are timed briefly."""
    project = tmp_path_factory.mktemp("compress")
    (project / "home").mkdir(mode=0o700)
    shutil.copyfile(mlflow_template, project / "home" / "mlflow.db")
    write_shop(project / "shop.csv", seed=1)
    made = Settings.read({}, home=project / "home", project_dir=project)
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "MOST_S", 0.1)
        run(made, "train", "run-train", TRAINING)
        yield made


def write_shop(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    age, plan = rng.normal(size=600), rng.choice(["free", "full"], 600)
    bought = age + 0.7 * (plan == "full") + rng.normal(0, 0.6, 600) > 0.3
    shop = pl.DataFrame({"age": age, "plan": plan, "noise": rng.normal(size=600), "bought": bought})
    shop.write_csv(path)


def run(
    settings: Settings, workflow: str, run_id: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Do the steps of a workflow as a worker would, but in this process."""

    def report(
        fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None: ...

    context = StepContext(run_id, "tester", settings, report)
    checked = validated(WORKFLOWS[workflow], params)
    outputs: dict[str, dict[str, Any]] = {}
    for node in WORKFLOWS[workflow].nodes:
        outputs[node.step] = STEPS[node.step].load()(context, checked, node.inputs(outputs))
        if why := node.stops(outputs):
            outputs["stopped"] = {"because": why}
            break
    return outputs


def test_a_forest_is_compressed_registered_as_challenger_and_serves_as_any_other(
    settings: Settings,
) -> None:
    wish = {"model": "shop", "version": 1, "methods": ["distil", "prune", "onnx", "quantise"]}
    check_compression(settings, validated(WORKFLOWS["compress"], wish | {"tolerance": 0.2}))
    outputs = run(settings, "compress", "run-small", wish | {"tolerance": 0.2})

    report = outputs["compress"]["compression"]
    by_method = {each["method"]: each for each in report["methods"]}
    assert by_method["onnx"]["equality"]["largest_difference"] < 1e-5
    assert by_method["onnx"]["verdict"] in ("kept", "no gain")
    assert by_method["quantise"]["verdict"] == "not possible"
    winner = by_method[report["winner"]]
    assert winner["verdict"] == "kept"
    assert winner["size"]["after"] < winner["size"]["before"]
    assert winner["quality"]["low"] >= -winner["quality"]["margin"]
    assert outputs["promote"]["alias"] == "challenger"

    with registry_for_a_step(settings) as desk:
        assert desk.store.alias_version("shop", "challenger") == 2
        assert desk.store.alias_version("shop", "production") is None
        assert desk.vault.verify("shop", 2).ok
        version = desk.store.version("shop", 2)
        reason = desk.mover.history("shop", "challenger", limit=1).moves[0].reason
    assert version.tags["ml_orchestrator.compressed_from"] == "shop/1"
    assert version.metrics["holdout_log_loss"] == pytest.approx(winner["quality"]["after"])
    assert reason == f"Version 1 compressed by {report['winner']}."

    case = load_case(settings, "shop", "challenger")

    def kept_file(name: str) -> bytes:
        client = MlflowClient(settings.mlflow_tracking_uri)
        return Path(client.download_artifacts(version.run_id or "", name)).read_bytes()

    kept = kept_file("model_card.md").decode()
    assert f"by {report['winner']}" in kept
    assert "| prune: the same with" in kept
    assert json.loads(kept_file("compression.json")) == report
    large = load_case(settings, "shop", 1)
    assert (
        open_onnx(kept_file("model.onnx")).predict(large.unseen)
        == large.model.predict(large.unseen)
    ).all()

    with pytest.raises(InvalidInputError, match="itself made by compression"):
        case.refitted()


def test_an_onnx_version_is_verified_loaded_and_predicts_as_the_one_it_was_made_from(
    settings: Settings,
) -> None:
    params = TRAINING | {"trainers": ["histogram_boosting"], "model": "graph"}
    run(settings, "train", "run-graph", params)
    wish = {"model": "graph", "version": 1, "methods": ["onnx"], "prefer": "latency"}
    outputs = run(settings, "compress", "run-graph-small", wish)

    assert outputs["compress"]["compression"]["winner"] == "onnx"
    assert outputs["promote"]["alias"] == "challenger"
    rows = pl.read_csv(settings.project_dir / "shop.csv").drop("bought").head(40).to_dicts()
    rows[0]["plan"], rows[1]["age"], rows[2]["plan"] = None, None, "a new one"
    body = json.dumps({"dataframe_records": rows}).encode()
    with registry_for_a_step(settings) as desk:
        report = desk.vault.verify("graph", 2)
        assert report.ok, [check for check in report.checks if not check.ok]
        assert "graph_is_harmless" in {check.name for check in report.checks}
        answers = []
        for version in (1, 2):
            with desk.vault.checkout("graph", version) as copy:
                loaded = load_model(
                    copy.directory / copy.description.model_file,
                    signature_inputs=copy.description.signature_inputs,
                    signature_outputs=copy.description.signature_outputs,
                    extra_trusted=EXTRA_TRUSTED_TYPES,
                    serialization=copy.description.serialization,
                )
            answers.append(predict(loaded, rows))
            served = Answering(loaded).answer([Request("application/json", body)])[0]
            assert (served.status, served.predictions) == (200, answers[-1].predictions)
    assert answers[0].predictions == answers[1].predictions
    first, second = ([row["True"] for row in given.probabilities or ()] for given in answers)
    assert first == pytest.approx(second, abs=1e-6)


def test_where_nothing_can_be_made_nothing_is_registered(settings: Settings) -> None:
    run(settings, "train", "run-line", TRAINING | {"trainers": ["linear"], "model": "line"})
    outputs = run(
        settings,
        "compress",
        "run-line-small",
        {"model": "line", "version": 1, "methods": ["prune"]},
    )

    assert "has no trees to cut" in outputs["compress"]["compression"]["methods"][0]["summary"]
    assert outputs["stopped"]["because"].startswith("No version was registered.")
    assert "register" not in outputs
    with registry_for_a_step(settings) as desk:
        assert desk.store.model("line").latest_version == 1


def test_changed_data_are_refused_and_so_are_aliases_that_are_not_there(settings: Settings) -> None:
    with pytest.raises(NotFoundError, match="No alias 'champion'"):
        check_compression(settings, {"model": "shop", "version": "champion", "methods": ["prune"]})
    write_shop(settings.project_dir / "shop.csv", seed=2)
    try:
        with pytest.raises(ConflictError, match="has changed since version 1"):
            load_case(settings, "shop", 1)
    finally:
        write_shop(settings.project_dir / "shop.csv", seed=1)


def test_a_model_that_is_no_better_than_nothing_is_not_compressed(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    noise = pl.DataFrame({"a": rng.normal(size=300), "bought": rng.random(300) < 0.5})
    noise.write_csv(settings.project_dir / "noise.csv")
    params = TRAINING | {"source": "noise.csv", "model": "noise"}
    run(settings, "train", "run-noise", params)
    with pytest.raises(InvalidInputError, match="there is nothing to keep"):
        run(settings, "compress", "run-noise-small", {"model": "noise", "version": 1})


def test_a_model_that_looks_back_at_other_rows_is_refused() -> None:
    past = PastValues(time="day", target="sold", horizon=1)
    looking = ColumnTransformer([("past", make_pipeline(past), ["day", "sold"])])
    for first, refused in ((looking, True), (StandardScaler(), False)):
        model = BlendedRegressor([("member_1", make_pipeline(first, Ridge()))], [1.0])
        told = pytest.raises(InvalidInputError, match=r"looks back.*`horizon: 0`")
        with told if refused else nullcontext():
            refuse_looking_back(model, "Version 1 of 'days'")


def test_each_method_is_asked_for_once_and_known() -> None:
    for methods, told in ((["prune", "prune"], "each method once"), (["shrink"], "distil")):
        with pytest.raises(InvalidInputError, match=told):
            validated(WORKFLOWS["compress"], {"model": "m", "version": 1, "methods": methods})

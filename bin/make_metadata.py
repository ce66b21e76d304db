"""Write ``bin/METADATA``: what the package is called where the launcher puts it, and its extras.

An installed plug-in may have no ``pyproject.toml``, and the launcher's Python may not read it.
"""

import tempfile
from contextlib import chdir
from pathlib import Path

from hatchling.build import prepare_metadata_for_build_wheel

__all__ = ["metadata"]

ROOT = Path(__file__).resolve().parents[1]
_LEFT_OUT = ("License-File:", "Description-Content-Type:")  # what they name is not put there


def main() -> None:
    """Write the file."""
    (ROOT / "bin" / "METADATA").write_text(metadata(), encoding="utf-8")


def metadata() -> str:
    """Return the fields of a wheel's metadata, without the description."""
    with tempfile.TemporaryDirectory() as folder, chdir(ROOT):
        written = Path(folder) / prepare_metadata_for_build_wheel(folder) / "METADATA"
        fields, _, _ = written.read_text(encoding="utf-8").partition("\n\n")
    kept = (line for line in fields.splitlines() if not line.startswith(_LEFT_OUT))
    return "".join(f"{line}\n" for line in kept)


if __name__ == "__main__":
    main()

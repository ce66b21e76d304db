"""Make docs/pictures/demo.svg from what ``make demo`` really prints.

    .venv/bin/python docs/make_picture.py [OUTPUT.txt]

Runs the demo, or takes the output of a run that was saved. Progress bars are left out and paths
below the repository shortened; nothing else is changed.
"""

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "demo.svg"
WIDTH = 112

_BAR = re.compile(r"\s*\[[#.]+\]")
_HIGHLIGHTS = {
    r"^ ?\d+\. .*$": "bold cyan",
    r"\b\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]": "bold green",
    r"@[a-z]+": "magenta",
    r"a stale move is refused|integrity FAILS": "yellow",
}
# The viewer's own fixed-width font: a picture must not fetch one from the network.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Write the picture."""
    output = Path(sys.argv[1]).read_text(encoding="utf-8") if sys.argv[1:] else demo_output()
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(output), encoding="utf-8")


def demo_output() -> str:
    """Run the demo and return what it prints."""
    ran = subprocess.run(
        [sys.executable, "examples/demo.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return ran.stdout


def picture(output: str) -> str:
    """Return the output as a picture of a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for line in output.replace(f"{ROOT}/", "").splitlines():
        if _BAR.match(line):
            continue
        text = Text(line)
        for pattern, style in _HIGHLIGHTS.items():
            text.highlight_regex(pattern, style)
        console.print(text)
    return console.export_svg(
        title="make demo", theme=MONOKAI, code_format=_SVG, unique_id="ml-orchestrator-demo"
    )


if __name__ == "__main__":
    main()

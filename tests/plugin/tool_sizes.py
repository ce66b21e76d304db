"""How large tool definitions are, in all and for each agent: name, description, input schema.

What a client adds, a prefix to each name and the keys of a record, is not ours and not counted: in
Claude Code 2.5 kB for all of them.

Run it as ``python -m tests.plugin.tool_sizes``. It reads the committed manifest, which a test
compares with the server.
"""

import json
import sys
from pathlib import Path

from tests.plugin.lint_agents import PREFIX, read_agent, tools_of

__all__ = ["LARGEST_BYTES", "SPECIALISTS_BYTES", "sizes_of_agents", "sizes_of_tools"]

ROOT = Path(__file__).resolve().parents[2]
LARGEST_BYTES = 30_000  # all tools together, which the ml-orchestrator has
SPECIALISTS_BYTES = 15_000


def sizes_of_tools() -> dict[str, int]:
    """Return the bytes of name, description and input schema of each tool."""
    manifest = json.loads((ROOT / "bin" / "manifest.json").read_text(encoding="utf-8"))
    return {
        tool["name"]: len(
            json.dumps(
                [tool["name"], tool["description"], tool["inputSchema"]],
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode()
        )
        for tool in manifest["lists"]["tools/list"]["tools"]
    }


def sizes_of_agents() -> dict[str, int]:
    """Return the bytes of the tools that each agent's file grants."""
    sizes = sizes_of_tools()
    found = {}
    for path in sorted((ROOT / "agents").glob("*.md")):
        granted = tools_of(read_agent(path.read_text(encoding="utf-8")))
        found[path.stem] = sum(sizes.get(name.removeprefix(PREFIX), 0) for name in granted)
    return found


def main() -> None:
    """Print the sizes, largest first; fail where they are too large."""
    sizes = sizes_of_tools()
    for name, size in sorted({**sizes_of_agents(), **sizes}.items(), key=lambda item: -item[1]):
        print(f"{size:>6,}  {name}")
    total = sum(sizes.values())
    print(f"{total:>6,}  bytes of {len(sizes)} tool definitions; at most {LARGEST_BYTES:,}")
    sys.exit(total > LARGEST_BYTES)


if __name__ == "__main__":
    main()

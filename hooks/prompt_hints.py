"""UserPromptSubmit: tell the model what a prompt lacks. Off unless a person turned it on.

Called with the folder ``server`` of the plug-in. Standard library alone, and little of it: it
starts anew with each prompt. Whatever goes wrong, the prompt goes ahead as it is: the exit status
is 0 and nothing is printed but, for the client's debug log, the kind of error.
"""

import json
import sys
from types import ModuleType


def main(server: str) -> None:
    """Read the hook's input and print its answer, if there is one."""
    sys.path.insert(0, server)
    # The package as a bare folder: loading all that it exports takes longer than the rest.
    bare = ModuleType("ml_orchestrator.text")
    bare.__path__ = [f"{server}/ml_orchestrator/text"]
    sys.modules[bare.__name__] = bare
    from ml_orchestrator.text.prompt_hints import prompt_hints  # noqa: PLC0415

    text = prompt_hints(json.load(sys.stdin)["prompt"])
    if text:
        output = {"hookEventName": "UserPromptSubmit", "additionalContext": text}
        sys.stdout.write(json.dumps({"hookSpecificOutput": output}))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:  # noqa: BLE001 - open: a hint is never worth a lost prompt
        sys.stderr.write(f"prompt_hints: {type(error).__name__}\n")

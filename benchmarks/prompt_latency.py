"""How long a prompt takes: its analysis, ``prompt_improve`` over stdio, and the hook on prompts.

Prompts of each length are made of the held-out prompts of ``tests/analysis`` in a seeded order,
with headings, lists, code and data between them; the worst kinds, of their words, are many short
sentences and not one end of a sentence. The analysis runs in this process; the tool in a server
beside one that does nothing, and its first call in new servers; the hook is a new process each
time, beside Python alone.
"""

import gc
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from _figures import Figure, arguments, in_turns, percentile, show
from tool_latency import HERE, session

from ml_orchestrator.analysis.analyse import analyse

ROOT = HERE.parent
HELD_OUT = ROOT / "tests" / "analysis" / "held_out_prompts.tsv"
LENGTHS = (300, 2_000, 20_000)
SHORT, LONGEST = LENGTHS[0], LENGTHS[-1]
GOAL_MS = 100.0  # of a call, from request line to answer line
WARM_UP = 5
N_PROMPTS = 20  # different ones of each length
BETWEEN = (
    "\n\n## Task\n",
    "\n- ",
    "\n1. ",
    "\n\n```python\ndef load(path):\n    return open(path).read()\n```\n",
    "\n<data>\n{rows}\n</data>\n",
    " ",
    "\n\n",
    ' For example: "a short answer". ',
)
SHARES = (("p50", 0.5), ("p99", 0.99))


def main() -> None:
    """Measure and print the figures."""
    options = arguments(__doc__)
    n = 100 if options.quick else 1_000
    figures = [
        *analysis_figures(n),
        *tool_figures(n // 5),
        *cold_figures(10 if options.quick else 40),
        *hook_figures(n_hooks := max(40, n // 5)),
        *([] if options.quick else hook_figures(n_hooks, length=LONGEST)),
    ]
    show(figures, as_json=options.json)


def all_prompts() -> dict[str, list[str]]:
    """Return the prompts of each length and of the worst kinds, by their name."""
    return {
        **{f"{length:,}": prompts(length) for length in LENGTHS},
        f"{LONGEST:,}, short sentences": [short_sentences(seed) for seed in range(N_PROMPTS)],
        f"{LONGEST:,}, no sentence end": [no_sentence_end(seed) for seed in range(N_PROMPTS)],
    }


def prompts(length: int) -> list[str]:
    """Return different prompts of this many characters, the same ones each time."""
    rng = random.Random(length)
    texts = held_out()
    found = []
    for _ in range(N_PROMPTS):
        text = ""
        while len(text) < length:
            text += rng.choice(texts) + rng.choice(BETWEEN)
        found.append(text[:length])
    return found


def short_sentences(seed: int) -> str:
    """Return a prompt of the longest length, all sentences of two words."""
    words = iter(drawn_words(seed))
    pairs = zip(words, words, strict=False)
    return " ".join(f"{first.capitalize()} {second}." for first, second in pairs)[:LONGEST]


def no_sentence_end(seed: int) -> str:
    """Return a prompt of the longest length in which no sentence ends."""
    return " ".join(drawn_words(seed))[:LONGEST]


def drawn_words(seed: int) -> list[str]:
    """Return words of the held-out prompts in a random order, enough for the longest length."""
    known = re.findall(r"[a-z]{2,}", " ".join(held_out()))
    return random.Random(seed).choices(known, k=LONGEST // 2)


def held_out() -> list[str]:
    """Return the held-out prompts of ``tests/analysis``."""
    lines = HELD_OUT.read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[1] for line in lines]


def analysis_figures(n: int) -> list[Figure]:
    """Time ``analyse`` alone, after a warm-up, by the clock and by the processor."""
    figures = []
    for name, made in all_prompts().items():
        gc.collect()
        gc.freeze()  # as the server does with what it loaded: else collections walk through it
        taken = [timed_ms(made[i % N_PROMPTS]) for i in range(n + WARM_UP)][WARM_UP:]
        for clock, times in zip(("", ", processor"), zip(*taken, strict=True), strict=True):
            figures += [
                Figure(f"analysis of {name}{clock}, {label}", "ms", percentile(times, share),
                       None, None, None, n)
                for label, share in SHARES
            ]  # fmt: skip
    return figures


def timed_ms(prompt: str) -> tuple[float, float]:
    """Return how long one analysis takes, in ms: by the clock, and of the processor alone."""
    began, worked = time.perf_counter(), time.process_time()
    analyse(prompt)
    return (time.perf_counter() - began) * 1e3, (time.process_time() - worked) * 1e3


def tool_figures(n: int) -> list[Figure]:
    """Time ``prompt_improve`` from request line to answer line, beside a call without work."""
    figures = []
    with (
        session(str(HERE / "bare_server.py")) as bare,
        session("-m", "ml_orchestrator", "mcp") as ours,
    ):
        ours.prepare()
        for name, made in all_prompts().items():
            given = iter(made * (n // N_PROMPTS + WARM_UP))
            found = in_turns(
                {
                    "ours": lambda given=given: ours.call_ms(  # type: ignore[misc]
                        "prompt_improve", {"prompt": next(given)}
                    ),
                    "bare": partial(bare.call_ms, "add", {"a": 1, "b": 2}),
                },
                rounds=n + WARM_UP,
            )
            figures += [
                Figure(f"prompt_improve of {name}, {label}", "ms",
                       percentile(found["ours"][WARM_UP:], share),
                       percentile(found["bare"][WARM_UP:], share), "no work", None, n)
                for label, share in SHARES
            ]  # fmt: skip
    return figures


def cold_figures(n: int) -> list[Figure]:
    """Time the first ``prompt_improve`` of new servers, by itself and from the process's start."""
    found: dict[int, list[tuple[float, float]]] = {SHORT: [], LONGEST: []}
    for i in range(n + 1):
        for length, times in found.items():
            times.append(first_call_ms(prompts(length)[i % N_PROMPTS]))
    figures = []
    for length, times in found.items():
        calls, starts = zip(*times[1:], strict=True)  # the first fills the page cache
        figures += [
            Figure(f"first prompt_improve, {length:,}, {label}", "ms",
                   percentile(calls, share), GOAL_MS, "goal", 1.0, n)
            for label, share in SHARES
        ]  # fmt: skip
        figures += [
            Figure(f"start to first prompt_improve, {length:,}, {label}", "ms",
                   percentile(starts, share), None, None, None, n)
            for label, share in SHARES
        ]  # fmt: skip
    return figures


def first_call_ms(prompt: str) -> tuple[float, float]:
    """Return how long the first call of a new server takes, in ms: by itself, and from its start.

    The call is sent as soon as ``initialize`` is answered.
    """
    began = time.perf_counter()
    with session("-m", "ml_orchestrator", "mcp") as new:
        call_ms = new.call_ms("prompt_improve", {"prompt": prompt})
        return call_ms, (time.perf_counter() - began) * 1e3


def hook_figures(n: int, length: int = SHORT) -> list[Figure]:
    """Time the hook from its start to its end, on, off, and Python alone."""
    given = json.dumps({"prompt": prompts(length)[0]}).encode()
    (group,) = json.loads((ROOT / "hooks" / "hooks.json").read_text())["hooks"]["UserPromptSubmit"]
    command = ["sh", "-c", group["hooks"][0]["command"]]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "python3").symlink_to(sys.executable)
        path = {"PATH": f"{folder}:{os.defpath}", "CLAUDE_PLUGIN_ROOT": str(ROOT)}
        switched_on = {**path, "CLAUDE_PLUGIN_OPTION_PROMPT_HINTS": "on"}
        found = in_turns(
            {
                "on": partial(process_ms, command, switched_on, given),
                "off": partial(process_ms, command, path, given),
                "python": partial(process_ms, ["python3", "-I", "-S", "-c", ""], path, given),
            },
            rounds=n + WARM_UP,
        )
    taken = {subject: times[WARM_UP:] for subject, times in found.items()}
    return [
        Figure(f"hook {state}, {length:,}, {label}", "ms", percentile(taken[state], share),
               percentile(taken["python"], share), "Python alone", None, n)
        for state in ("on", "off")
        for label, share in SHARES
    ]  # fmt: skip


def process_ms(command: list[str], environ: dict[str, str], given: bytes) -> float:
    """Return how long a process takes from its start to its end, in ms."""
    began = time.perf_counter()
    subprocess.run(command, input=given, env=environ, capture_output=True, check=True)
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()

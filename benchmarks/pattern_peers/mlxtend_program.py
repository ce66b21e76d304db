"""Frequent sets by mlxtend: how long they take, or which they are.

    python mlxtend_program.py TABLE.npy MIN_SUPPORT [--sets]

Prints one JSON object: the seconds of one call, how many sets there are and, if asked for, each set
(features joined by spaces) with the rows that hold it.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from mlxtend.frequent_patterns import apriori


def main() -> None:
    """Read a table of booleans, mine it once and print what came out."""
    table = pd.DataFrame(np.load(sys.argv[1]))
    began_at = time.perf_counter()
    found = apriori(table, min_support=float(sys.argv[2]), max_len=3)
    answer: dict[str, object] = {"seconds": time.perf_counter() - began_at, "n": len(found)}
    if "--sets" in sys.argv:
        pairs = zip(found["itemsets"], found["support"], strict=True)
        answer["sets"] = {
            " ".join(str(i) for i in sorted(int(i) for i in items)): round(support * len(table))
            for items, support in pairs
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

"""NannyML's calculator, the whole current table in one chunk."""

import nannyml
import pandas as pd
from _table import answer

NAMES = {
    "ks": "kolmogorov_smirnov",
    "wasserstein": "wasserstein",
    "jensen_shannon": "jensen_shannon",
}


def check(test: str, before: pd.DataFrame, after: pd.DataFrame) -> list[float]:
    """Return the statistic of each column, as NannyML defines it."""
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(before), continuous_methods=[NAMES[test]], chunk_number=1
    )
    calculator.fit(before)
    frame = calculator.calculate(after).filter(period="analysis").to_df()
    return [float(frame[(name, NAMES[test], "value")].iloc[-1]) for name in before]


if __name__ == "__main__":
    answer(check, shaped=pd.DataFrame)

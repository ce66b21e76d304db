"""Parts of dates as arithmetic on the seconds since 2000, which a graph is given of a date."""

from typing import Any

import numpy as np

from ml_orchestrator.compression.exporting.graph import Value
from ml_orchestrator.compression.exporting.steps import step

__all__: list[str] = []

LENGTHS = {"year": 365.2425, "week": 7.0, "day": 1.0}  # of cycles, in days
DAY_S, HOUR_S = 86_400.0, 3_600.0
MARCH_OF_0 = 730_425.0  # days from 1 March of the year 0 to 1 January 2000
SATURDAY = 5.0  # 1 January 2000, where Monday is 0


@step("DateParts")
def _parts(dates: Any, value: Value) -> Value:
    graph = value.graph
    columns = [str(name) for name in dates.feature_names_in_]
    names = [str(name) for name in dates.get_feature_names_out()]
    n_each = len(names) // len(columns)
    parts = []
    for place, column in enumerate(columns):
        seconds = graph.columns(value, [place])
        own = names[place * n_each : (place + 1) * n_each]
        fields = _fields(seconds)
        parts += [
            fields[part] if part in fields else _wave(fields["elapsed_days"], part)
            for part in (name.removeprefix(f"{column}_") for name in own)
        ]
    return graph.concat(parts)


def _fields(seconds: Value) -> dict[str, Value]:
    """Return year, month, day and so on; the calendar as H. Hinnant counts it, from March on."""
    days = (seconds / DAY_S).floor()
    of_day = seconds - days * DAY_S
    since = days + MARCH_OF_0
    era = (since / 146_097.0).floor()
    day = since - era * 146_097.0
    leaps = (day / 1_460.0).floor() - (day / 36_524.0).floor() + (day / 146_096.0).floor()
    year = ((day - leaps) / 365.0).floor()
    of_year = day - year * 365.0 - (year / 4.0).floor() + (year / 100.0).floor()
    from_march = ((of_year * 5.0 + 2.0) / 153.0).floor()
    of_month = of_year - ((from_march * 153.0 + 2.0) / 5.0).floor() + 1.0
    graph = seconds.graph
    is_late = graph.op("Less", from_march, graph.value(10.0))
    month = graph.where(is_late, from_march + 3.0, from_march - 9.0)
    is_after = graph.op("Less", month, graph.value(2.5)).cast("double")
    shifted = days + SATURDAY
    return {
        "year": year + era * 400.0 + is_after,
        "month": month,
        "day": of_month,
        "day_of_week": shifted - (shifted / 7.0).floor() * 7.0,
        "hour": (of_day / HOUR_S).floor(),
        "elapsed_days": seconds / DAY_S,
    }


def _wave(days: Value, part: str) -> Value:
    """Return a sine or cosine, by its name such as ``week_sin_2``."""
    cycle, turn, number = part.rsplit("_", 2)
    length = LENGTHS[cycle]
    place = days - (days / length).floor() * length
    angle = place * (2 * np.pi * int(number)) / length  # in this order, or last bits differ
    return days.graph.op({"sin": "Sin", "cos": "Cos"}[turn], angle)

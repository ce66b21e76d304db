"""Text that is dates or times in ISO 8601, and what to say of dates that are written otherwise."""

import polars as pl

from ml_orchestrator.datasets.kinds import reading_as

__all__ = ["as_dates", "as_times_of_day", "date_text_notice", "read_dates"]

MOSTLY = 0.5  # of the values, from which dates are what text was meant to be
N_LOOKED_AT = 1_000  # values without any date, after which none is expected
MOST_SHOWN = 30  # characters
_ZONE = r" ?(?:Z|[+-]\d{2}(?::?\d{2})?)"
_ISO = rf"^\d{{4}}-\d\d?-\d\d?(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:{_ZONE})?)?$"
_TIME_OF_DAY = r"^\d\d?:\d\d?(?::\d\d?(?:\.\d+)?)?$"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE_LIKE = (
    r"(?i)^(?:\d{4}[-./]\d\d?[-./]\d\d?"
    r"|\d\d?[-./]\d\d?[-./]\d{4}|\d\d?/\d\d?/\d\d"
    rf"|\d\d?[ .-]+{_MONTH}[ .,-]+\d\d(?:\d\d)?|{_MONTH}[ .]+\d\d?(?:st|nd|rd|th)?,? +\d{{4}})"
    r"(?:[T ,]+\d\d?:\d\d.*)?$"
)
_ZONED = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_PLAIN = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def as_dates(column: pl.Series) -> pl.Series:
    """Return a column of text as dates or times if each of its values is one in ISO 8601.

    Other forms stay text: in 02/01/2014 nothing says which number is the day.
    """
    if not _begins_with(column, _ISO):
        return column
    read = read_dates(column)
    return read if read.null_count() == column.null_count() else column


def as_times_of_day(column: pl.Series) -> pl.Series:
    """Return a column of text as times of day if each of its values is one, such as 09:30."""
    if not _begins_with(column, _TIME_OF_DAY):
        return column
    texts = column.str.strip_chars()
    times = texts.str.to_time("%H:%M:%S%.f", strict=False)
    if times.null_count() > column.null_count():
        times = times.fill_null(texts.str.to_time("%H:%M", strict=False))
    return times if times.null_count() == column.null_count() else column


def read_dates(texts: pl.Series) -> pl.Series:
    """Return ISO 8601 text as dates, or as times in UTC if one is no mere date.

    Times without a zone are in UTC. Null where a value is missing or not ISO 8601.
    """
    stripped = texts.str.strip_chars()
    texts = stripped.set(~stripped.str.contains(_ISO), None)
    dates = texts.str.to_date("%Y-%m-%d", strict=False)
    if dates.null_count() == stripped.null_count():
        return dates
    return _moments(texts)


def _moments(texts: pl.Series) -> pl.Series:
    texts = texts.str.replace("T", " ", literal=True).str.replace(r" ?Z$", "+00:00")
    texts = texts.str.replace(r"(:\d\d(?:\.\d+)? ?[+-]\d\d)$", "${1}:00")
    times = pl.Series(texts.name, [None], pl.Datetime("us")).new_from_index(0, len(texts))
    for form in (*_PLAIN, *_ZONED):
        if times.null_count() == texts.null_count():
            break
        zone = "UTC" if form in _ZONED else None
        read = texts.str.to_datetime(form, strict=False, time_unit="us", time_zone=zone)
        times = times.fill_null(read.dt.replace_time_zone(None))
    return times


def date_text_notice(column: pl.Series, *, rows: str = "rows") -> str:
    """Return what to say of text of which half at least are dates, and not all in ISO 8601.

    It names the first value that is none, with its row (1 is the first). Nothing of other columns.

    Args:
        column: as it is read.
        rows: what the rows of the column are, if not those of the file.

    >>> date_text_notice(pl.Series("day", ["2019-11-30", "2019-11-31", "2019-12-01"]))
    '\\'day\\' is text, not dates: row 2 of 3 rows holds \\'2019-11-31\\', which is no ISO 8601 \
date such as 2024-01-31. Write all so in the file, or leave them empty where they are missing; \
column_types {"day": "temporal"} then reads dates.'
    >>> date_text_notice(pl.Series("code", ["a1", "b2"]))
    ''
    """
    if column.dtype != pl.String or not _seems_dates(column):
        return ""
    is_iso = read_dates(column).is_not_null()
    is_wrong = column.is_not_null() & ~is_iso
    is_date = is_iso | column.str.strip_chars().str.contains(_DATE_LIKE)
    if not is_wrong.any() or int(is_date.sum()) < MOSTLY * (len(column) - column.null_count()):
        return ""
    row, n_more = int(is_wrong.arg_true()[0]), int(is_wrong.sum()) - 1
    more = f", and {n_more:,} other rows hold such values" if n_more else ""
    return (
        f"{column.name!r} is text, not dates: row {row + 1:,} of {len(column):,} {rows} holds "
        f"{str(column[row])[:MOST_SHOWN]!r}, which is no ISO 8601 date such as 2024-01-31{more}. "
        "Write all so in the file, or leave them empty where they are missing; "
        f"{reading_as(column.name, 'temporal')} then reads dates."
    )


def _seems_dates(column: pl.Series) -> bool:
    first = column.drop_nulls().head(N_LOOKED_AT).str.strip_chars()
    return bool((first.str.contains(_ISO) | first.str.contains(_DATE_LIKE)).any())


def _begins_with(column: pl.Series, form: str) -> bool:
    """Return whether the first value has the form, which spares a look at all of the others."""
    if column.dtype != pl.String or column.null_count() == len(column):
        return False
    first = column.drop_nulls().head(1).str.strip_chars()
    return bool(first.str.contains(form)[0])

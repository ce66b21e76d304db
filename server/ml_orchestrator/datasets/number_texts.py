"""Text that was meant as numbers, and what to say of it."""

import polars as pl

__all__ = ["number_text_notice", "read_as_numbers", "stray_cell"]

MIN_VALUES = 10
MOSTLY = 0.5  # of the values, from which numbers among text are what the column was meant to be
NEARLY_ALL = 0.9  # of the values, where each is written with more than digits
STRAY = 0.05  # of the values at most, where all others are numbers; above, the column is a mixture
MIN_BESIDE_STRAY = 20
# A sign of a currency or the like, digits with separators, and a unit, but none of 1st to 4th.
DECORATED = (
    r"^[^\w\s.,'+-]?\s?[+-]?(\d{1,3}([ ,.'\u00a0\u202f]\d{3})+([.,]\d+)?|\d+([.,]\d+)?)"
    r"\s?([^\w\s]|[\p{L}µ°²³]{1,3})?$"
)
ORDINAL = r"\d(st|nd|rd|th)$"
MOST_SHOWN = 30  # characters


def number_text_notice(column: pl.Series) -> str:
    """Return what to say of text that looks like numbers; nothing of other columns.

    Either at least half of the values are numbers and the others are words, or nearly all are
    numbers with a currency, a unit or separators of thousands.

    >>> number_text_notice(pl.Series("age", ["31", "44", "28", "unknown"] * 5))
    "'age' is text, but 15 of its 20 values are numbers; others are such as 'unknown' in row 4. \
Where those mean that it is missing, leave them empty in the file, and it is read as numbers."
    >>> number_text_notice(pl.Series("price", ["€ 1,250", "€ 980"] * 10))
    "'price' is text such as '€ 1,250', which looks like numbers; with digits, a sign and a \
decimal point alone in the file it is read as numbers."
    >>> number_text_notice(pl.Series("code", ["a1", "b2"] * 10))
    ''
    """
    if column.dtype != pl.String:
        return ""
    values = column.drop_nulls()
    if len(values) < MIN_VALUES:
        return ""
    is_number = read_as_numbers(values).is_not_null()
    n_numbers = int(is_number.sum())
    is_decorated = values.str.contains(DECORATED) & ~values.str.contains(ORDINAL) & ~is_number
    if is_decorated.any() and is_decorated.sum() + n_numbers >= NEARLY_ALL * len(values):
        return (
            f"{column.name!r} is text such as {_shown(values.filter(is_decorated))}, which looks "
            "like numbers; with digits, a sign and a decimal point alone in the file it is read "
            "as numbers."
        )
    if not MOSTLY * len(values) <= n_numbers < len(values):
        return ""
    place = column.is_not_null().arg_true()[int((~is_number).arg_max() or 0)]
    return (
        f"{column.name!r} is text, but {n_numbers:,} of its {len(values):,} values are numbers; "
        f"others are such as {_shown(values.filter(~is_number))} in row "
        f"{place + 1:,}. Where those mean that it is missing, leave them empty in "
        "the file, and it is read as numbers."
    )


def stray_cell(column: pl.Series) -> str:
    """Return which cell keeps a column of numbers from being one; nothing of other columns.

    >>> stray_cell(pl.Series("age", [*map(str, range(30)), "-", *map(str, range(30))]))
    "60 of the 61 values of 'age' are numbers, but row 31 holds '-'"
    """
    if column.dtype != pl.String:
        return ""
    is_number = read_as_numbers(column).is_not_null()
    is_other = column.is_not_null() & ~is_number
    n_numbers, n_others = int(is_number.sum()), int(is_other.sum())
    n_values = n_numbers + n_others
    if n_others == 0 or n_others > STRAY * n_values or n_numbers < MIN_BESIDE_STRAY:
        return ""
    if _are_codes(column.filter(is_number), column.filter(is_other)):
        return ""
    row = int(is_other.arg_max() or 0)
    more = f", and {n_others - 1:,} more rows hold no number" if n_others > 1 else ""
    return (
        f"{n_numbers:,} of the {n_values:,} values of {column.name!r} are numbers, but row "
        f"{row + 1:,} holds {str(column[row])[:MOST_SHOWN]!r}{more}"
    )


def _are_codes(numbers: pl.Series, others: pl.Series) -> bool:
    """Return whether whole numbers stand beside words that hold digits too, as ids and codes do."""
    are_whole = bool(numbers.str.contains(r"^\s*\d+\s*$").all())
    return are_whole and bool(others.str.contains(r"^[A-Za-z]+[- ]?\d|^\d+[- ]?[A-Za-z]").any())


def read_as_numbers(texts: pl.Series) -> pl.Series:
    """Return text as numbers; null where it is none, or says that it is not one."""
    return texts.str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)


def _shown(values: pl.Series) -> str:
    return repr(str(values[0])[:MOST_SHOWN])

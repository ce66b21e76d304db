"""How sources of data are named, without what reads them."""

__all__ = ["BUILTIN_PREFIX"]

BUILTIN_PREFIX = "builtin:"  # of a data set that comes with a library

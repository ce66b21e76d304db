"""Tables: reading, built-in data sets, profiling."""

"""Traces and metrics by OpenTelemetry: what to tell, and sending it where somebody asked.

Everything here but ``_export`` uses the API alone, whose calls do nothing until a provider is
there. The SDK and the exporter are loaded in ``_export``, only if the standard variables ask.
"""

"""A drift report as one HTML page: pictures and numbers inside, nothing fetched, no script."""

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape

from ml_orchestrator.health.models import ColumnDrift, DriftReport

__all__ = ["drift_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 72rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.3rem 0.6rem; border-bottom: 1px solid #e1e5ea;
         vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.drifted td:first-child { border-left: 4px solid #d9622b; font-weight: 600; }
img { max-width: 100%; } .quiet { color: #5b6470; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def drift_page(report: DriftReport, pictures: Sequence[bytes], *, title: str) -> str:
    """Return a page that shows a report to people and carries it for programs.

    It holds the pictures and the whole report as JSON (in the element with the id ``report``). It
    asks for nothing from anywhere, runs no script, and its own policy forbids both. All names and
    values are escaped: they are data.

    Args:
        report: what was found.
        pictures: PNG, shown in this order.
        title: what was compared with what.
    """
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f"<p>{escape(report.summary)}</p>",
            *_listed("What to do next", report.next_steps),
            *_model(report),
            *_over_time(report),
            *(f'<p><img alt="" src="data:image/png;base64,{_encoded(p)}"></p>' for p in pictures),
            *_listed("No longer comparable", (c.summary for c in report.schema_changes)),
            *_together(report),
            *_columns(report.columns),
            *(line for drift in report.columns for line in _text_of(drift)),
            *_listed("To know", report.notices),
        ]
    )
    data = json.dumps(report.model_dump(mode="json")).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n"
        f'<script type="application/json" id="report">{data}</script>\n</body></html>\n'
    )


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _listed(heading: str, lines: Iterable[str]) -> list[str]:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return [f"<h2>{heading}</h2><ol>{items}</ol>"] if items else []


def _model(report: DriftReport) -> list[str]:
    if report.model is None:
        return []
    return [f"<h2>The model</h2><p>{escape(report.model.summary)}</p>"]


def _together(report: DriftReport) -> list[str]:
    if report.together is None:
        return []
    said = f"{report.together.summary} {report.together.note or ''}".strip()
    return [f"<h2>All columns together</h2><p>{escape(said)}</p>"]


def _over_time(report: DriftReport) -> list[str]:
    if report.over_time is None:
        return []
    rows = [
        f"<tr><td>{escape(c.start)}</td><td>{escape(c.end)}</td>"
        f'<td class="number">{c.n_rows:,}</td><td>{escape(", ".join(c.drifted_columns))}</td></tr>'
        for c in report.over_time.chunks
    ]
    head = "<tr><th>from</th><th>to</th><th>rows</th><th>drifted</th></tr>"
    changes = [f"{name}: from {at} on" for name, at in report.over_time.changes.items()]
    return [
        f"<h2>Since when</h2><p>{escape(report.over_time.summary)}</p>",
        f"<table>{head}{''.join(rows)}</table>",
        *_listed("Read row by row", changes),
    ]


def _columns(columns: Iterable[ColumnDrift]) -> list[str]:
    head = "<tr><th>column</th><th>test</th><th>statistic</th><th>p adjusted</th><th></th></tr>"
    return [f"<h2>Columns</h2><table>{head}{''.join(map(_row, columns))}</table>"]


def _text_of(drift: ColumnDrift) -> list[str]:
    """Return what changed in a column of text, aspect by aspect."""
    text = drift.text
    if text is None:
        return []
    rows = [
        f"<tr><td>{escape(a.aspect.replace('_', ' '))}</td>"
        f'<td class="number">{a.p_value:.3g}</td><td>{escape(a.summary)}</td></tr>'
        for a in text.aspects
    ]
    head = "<tr><th>aspect</th><th>p</th><th></th></tr>"
    words = [
        f"{w.word}: in {w.reference_share:.1%} of the texts, now in {w.current_share:.1%}"
        for w in (*text.came, *text.went)
    ]
    topics = [
        f"{', '.join(t.words)}: {t.reference_share:.1%}, now {t.current_share:.1%}"
        for t in text.topics
    ]
    return [
        f"<h2>Text of {escape(drift.column)}</h2><table>{head}{''.join(rows)}</table>",
        *_listed("Words that came and went", words),
        *_listed("Topics", topics),
    ]


def _row(drift: ColumnDrift) -> str:
    statistic = "infinite" if drift.statistic is None else f"{drift.statistic:.4g}"
    p_value = "" if drift.p_value_adjusted is None else f"{drift.p_value_adjusted:.3g}"
    note = f' <span class="quiet">{escape(drift.note)}</span>' if drift.note else ""
    marked = ' class="drifted"' if drift.is_drifted else ""
    return (
        f"<tr{marked}><td>{escape(drift.column)}</td><td>{escape(drift.test)}</td>"
        f'<td class="number">{statistic}</td><td class="number">{p_value}</td>'
        f"<td>{escape(drift.summary)}{note}</td></tr>"
    )

"""Reports as files of their own: text, and an HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from jupyter_profkit.model.result import Result
from jupyter_profkit.render.escaping import escape_attribute
from jupyter_profkit.render.html import render_report as render_html
from jupyter_profkit.render.text import render_report as render_text
from jupyter_profkit.views import report_of
from jupyter_profkit.views.report import Report

__all__ = ["write_html", "write_report_as_html", "write_report_as_text", "write_text"]

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{margin:2em auto;max-width:1100px;font-family:system-ui,sans-serif}}</style>
</head><body>{body}</body></html>
"""


def write_text(result: Result, path: Path) -> None:
    """Write the report as plain text, 120 columns wide."""
    write_report_as_text(report_of(result), path)


def write_html(result: Result, path: Path) -> None:
    """Write the report as a page that opens without a network."""
    write_report_as_html(report_of(result), path)


def write_report_as_text(report: Report, path: Path) -> None:
    path.write_text(render_text(report, 120) + "\n", encoding="utf-8")


def write_report_as_html(report: Report, path: Path) -> None:
    path.write_text(_PAGE.format(title=escape_attribute(report.title), body=render_html(report)), encoding="utf-8")

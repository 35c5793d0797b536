"""One self-contained HTML page: tables, a chart of the records, and a browser of the pictures."""

from reports.page.build import Section, write

__all__ = ["Section", "write"]

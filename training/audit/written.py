"""The files of an audit: audit.json, audit.csv and index.html, written whole."""

import csv
from io import StringIO
from pathlib import Path

from models.atomic import replacing
from training.audit.audit import printable
from training.audit.findings import Audit, AuditFinding
from training.audit.images import AuditedFolder
from training.audit.page import draw_page, shown_ids

JSON, CSV, PAGE = "audit.json", "audit.csv", "index.html"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # at its start, a spreadsheet would run the text


def write_audit(audit: Audit, folder: AuditedFolder, out: Path) -> None:
    """Write the three files into `out`, which is made."""
    wanted = shown_ids(audit)
    pictures = {
        printable(name): part.images.images[row].numpy()
        for part in folder.parts
        for row, name in enumerate(part.images.ids)
        if printable(name) in wanted
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (
        (JSON, audit.model_dump_json(indent=2) + "\n"),
        (CSV, _table(audit)),
        (PAGE, draw_page(audit, pictures)),
    ):
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def _table(audit: Audit) -> str:
    buffer = StringIO()
    columns = list(AuditFinding.model_fields)
    table = csv.writer(buffer)
    table.writerow(columns)
    for one in audit.findings:
        table.writerow([_cell(value) for value in one.model_dump().values()])
    return buffer.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

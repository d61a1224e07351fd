"""The audit as one page: pictures inside, no script, nothing loaded from anywhere."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from training.audit.findings import KINDS, Audit, AuditFinding, Kind

SHOWN = 100
"""Findings of each kind on the page, at most; all of them are in the CSV and the JSON file."""
_SIDE_PX = 96
_TITLES: Mapping[Kind, tuple[str, str]] = {
    "leaks": (
        "Leaks",
        "Test images with a copy in the training set. Remove one of each, or train with "
        "--drop-leaks.",
    ),
    "duplicates": ("Duplicates", "Images with a copy in the same set."),
    "labels": (
        "Labels",
        "The least likely labels first, judged by a probe that did not see them. Those in bold are "
        "probable errors by confident learning.",
    ),
    "outliers": ("Outliers", "Images far from every other one."),
    "unreadable": ("Unreadable", "Files that are broken, blank, tiny or very long."),
}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1b1b1b; background: #fff; }
h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
ol { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
li { border: 1px solid #ccc; border-radius: 4px; padding: .6rem; overflow-wrap: anywhere; }
img { width: 96px; height: 96px; image-rendering: pixelated; margin-right: .3rem; }
small { color: #555; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616; }
  li { border-color: #444; } small { color: #aaa; } }
"""

Pictures = Mapping[str, UInt8[np.ndarray, "h w 3"]]


def shown_ids(audit: Audit) -> frozenset[str]:
    """The images that the page shows."""
    shown = [one for kind in KINDS for one in audit.of(kind)[:SHOWN]]
    return frozenset(name for one in shown for name in (one.id, one.other) if name is not None)


def draw_page(audit: Audit, pictures: Pictures) -> str:
    """The page; `pictures` has those of `shown_ids` that can be read."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    sections = "".join(_section(audit, kind, pictures) for kind in KINDS)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Audit of {escape(audit.data)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>Audit of {escape(audit.data)}</h1>\n{_summary(audit)}\n{sections}</body></html>\n"
    )


def _summary(audit: Audit) -> str:
    counts = audit.counts.model_dump()
    rows = "".join(
        f'<tr><th scope="row"><a href="#{kind}">{_TITLES[kind][0]}</a></th>'
        f"<td>{counts[kind]:,}</td></tr>"
        for kind in KINDS
    )
    return (
        f"<p>{audit.train:,} training and {audit.test:,} test images of {len(audit.classes)} "
        f"classes. Vectors: {escape(audit.embedding.model)}; a probe of them agrees with "
        f"{audit.embedding.accuracy:.1%} of the labels.</p>\n<table>{rows}</table>"
    )


def _section(audit: Audit, kind: Kind, pictures: Pictures) -> str:
    title, what = _TITLES[kind]
    found = audit.of(kind)
    items = "".join(_item(one, pictures) for one in found[:SHOWN])
    more = f"<p>{len(found) - SHOWN:,} more are in audit.csv.</p>" if len(found) > SHOWN else ""
    body = f"<ol>{items}</ol>{more}" if found else "<p>None.</p>"
    return f'<h2 id="{kind}">{title}</h2>\n<p>{escape(what)}</p>\n{body}\n'


def _item(one: AuditFinding, pictures: Pictures) -> str:
    drawn = "".join(_picture(name, pictures) for name in (one.id, one.other) if name is not None)
    reason = escape(one.reason)
    marked = f"<strong>{reason}</strong>" if one.probable and one.kind == "labels" else reason
    return (
        f"<li>{drawn}<br>{one.rank}. {escape(one.label)}: {marked}<br>"
        f"<small>{escape(one.id)}</small></li>"
    )


def _picture(name: str, pictures: Pictures) -> str:
    if name not in pictures:
        return ""
    buffer = BytesIO()
    image = Image.fromarray(pictures[name])
    if image.width > _SIDE_PX:
        image = image.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR)
    image.save(buffer, "PNG")
    address = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(name, quote=True)}" src="data:image/png;base64,{address}">'

"""The archive's page: what is in it, what failed and why, how fast the shots are, where the time goes. One file, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from ..files import write_text
from ..motion.measure import PER_SECOND
from .histogram import draw_histogram
from .store import Archive
from .tables import STEPS

#: Failures that are shown; the table holds all.
SHOWN = 200

_STEP_NAMES = {
    "decode": "Open the file", "pose": "Find and follow the batter", "camera": "Follow the camera", "bat": "Follow the bat", "swing": "Measure the swing",
    "chain": "Kinetic chain",
}  # fmt: skip

_STYLE = """
:root { color-scheme: light dark; --ink: #1b2126; --soft: #5b6670; --paper: #f6f5f1; --card: #fff; --line: #dcd9d0; --accent: #0b6e8f; --bad: #a4372a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9ecee; --soft: #9aa6af; --paper: #14181b; --card: #1d2327; --line: #323a40; --accent: #4fc3f7; --bad: #ff8a75; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: clamp(20px, 4vw, 44px) clamp(12px, 3vw, 40px) 48px; }
h1 { font-size: clamp(1.5rem, 3.4vw, 2.3rem); line-height: 1.15; letter-spacing: -.015em; margin: 0 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 36px 0 12px; }
p { max-width: 75ch; margin: 0 0 10px; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.counts { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin: 24px 0 0; padding: 0; list-style: none; }
.counts li, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 18px; }
.counts b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.counts span { color: var(--soft); font-size: .9rem; }
.bad b { color: var(--bad); }
.two { display: grid; gap: 20px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.card h3 { font-size: 1rem; margin: 0 0 4px; }
.card { overflow-x: auto; }
svg { width: 100%; height: auto; display: block; color: var(--soft); font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
svg .bar { fill: var(--accent); }
svg text { fill: currentColor; }
svg line { stroke: var(--line); }
svg .middle { stroke: var(--ink); stroke-dasharray: 4 3; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wrap { overflow-wrap: anywhere; min-width: 14ch; }
.share { min-width: 70px; vertical-align: middle; }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
"""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Correlated Kinetics">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '$style_hash'">
<title>$title</title>
<style>$style</style>
</head>
<body><main>
<h1>$title</h1>
<p class="soft">$lead</p>
$body
</main></body>
</html>
""")


def write_report(archive: Archive) -> Path:
    """Write ``report.html`` into the archive's folder, in the old one's place.

    Returns
    -------
    Path
        Of the page. What people wrote (paths, sentences) is escaped.
    """
    columns = ["path", "peak_tip_speed", "peak_omega", "unit", "impact_t", "swing_reason", "reaches_bat", "duration_s", "frames", *(f"seconds_{step}" for step in STEPS)]
    table = archive.clips(columns)
    clips: dict[str, Any] = {name: table[name].to_pylist() if name in ("path", "unit", "swing_reason") else table[name].to_numpy() for name in columns}
    failures = archive.failures().to_pylist()
    body = "\n".join((_counts(clips, failures), _distributions(clips), _untold(clips), _failures(failures), _steps(clips)))
    asked = ", ".join(f"{name} {value}" for name, value in archive.settings.items() if name not in ("model", "recipe"))
    lead = f"Measured by Correlated Kinetics with {asked}. The numbers behind this page are the Parquet tables beside it."
    page = _PAGE.substitute(
        title=html.escape(f"Archive {archive.folder.resolve().name}"), lead=html.escape(lead), body=body, style=_STYLE,
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}",
    )  # fmt: skip
    write_text(archive.folder / "report.html", page)
    return archive.folder / "report.html"


def _counts(clips: dict[str, Any], failures: Sequence[dict[str, Any]]) -> str:
    count, told = len(clips["path"]), int(np.isfinite(clips["peak_tip_speed"]).sum())
    items = [
        (count, "clips measured", ""), (told, "with a peak speed of the bat", ""), (int(np.isfinite(clips["impact_t"]).sum()), "with an impact", ""),
        (int(clips["reaches_bat"].sum()), "with a kinetic chain to the bat", ""), (len(failures), "failed", "bad" if failures else ""),
    ]  # fmt: skip
    hours = float(np.sum(clips["duration_s"])) / 3600
    length = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    cells = "".join(f'<li class="{kind}"><b>{value:,}</b><span>{html.escape(what)}</span></li>' for value, what, kind in items)
    return f'<ul class="counts">{cells}<li><b>{length}</b><span>of footage, {int(np.sum(clips["frames"])):,} frames</span></li></ul>'


def _distributions(clips: dict[str, Any]) -> str:
    speed, omega, unit = clips["peak_tip_speed"], np.abs(clips["peak_omega"]), np.array(clips["unit"], dtype=object)
    told = np.isfinite(speed)
    if not told.any():
        return "<h2>Peaks</h2><p>No clip has a peak that could be told.</p>"
    common = Counter(unit[told]).most_common(1)[0][0]
    same = told & (unit == common)
    left_out = int(told.sum() - same.sum())
    note = f'<p class="soft">{left_out} clips are left out of the speeds: theirs are in another unit.</p>' if left_out else ""
    cards = (
        draw_histogram(speed[same], "Peak speed of the bat's tip", PER_SECOND[common]),
        draw_histogram(omega[np.isfinite(omega)], "Peak angular velocity of the bat, either way round", "rad/s"),
    )
    return '<h2>Peaks</h2><div class="two">' + "".join(f'<div class="card">{card}</div>' for card in cards) + f"</div>{note}"


def _untold(clips: dict[str, Any]) -> str:
    reasons = Counter(reason for reason in clips["swing_reason"] if reason)
    if not reasons:
        return ""
    rows = [(f"{count:,}", reason) for reason, count in reasons.most_common(12)]
    rest = sum(reasons.values()) - sum(count for _, count in reasons.most_common(12))
    rows += [(f"{rest:,}", "other reasons, in the column swing_reason")] if rest else []
    return "<h2>Measured, but without a peak</h2>" + _table(("Clips", "Why"), rows, "nw")


def _failures(failures: Sequence[dict[str, Any]]) -> str:
    if not failures:
        return ""
    rows = [(row["path"], row["step"], row["reason"], f"{row['attempts']}", row["when"].replace("T", " ").removesuffix("+00:00")) for row in failures[:SHOWN]]
    more = f'<p class="soft">{len(failures) - SHOWN:,} more are in failures.parquet.</p>' if len(failures) > SHOWN else ""
    said = f"<h2>Failed</h2><p>{len(failures):,} {'file' if len(failures) == 1 else 'files'} could not be measured. <b>--retry</b> tries them again.</p>"
    return said + _table(("File", "Step", "Why", "Tries", "When (UTC)"), rows, "wtwnt") + more


def _steps(clips: dict[str, Any]) -> str:
    if not len(clips["path"]):
        return ""
    spent = np.stack([clips[f"seconds_{step}"] for step in STEPS], axis=1)
    total = spent.sum()
    order = np.argsort(-spent.sum(axis=0), kind="stable")
    shares = spent.sum(axis=0) / total if total else np.zeros(len(STEPS))
    rows = "".join(
        f'<tr><td>{_STEP_NAMES[STEPS[k]]}</td><td class="n">{spent[:, k].mean():.2f}</td><td class="n">{np.percentile(spent[:, k], 95):.2f}</td>'
        f'<td class="n">{100 * shares[k]:.0f} %</td><td class="share"><svg viewBox="0 0 100 8"><rect class="bar" width="{100 * shares[k]:.1f}" height="8"/></svg></td></tr>'
        for k in order
    )
    each = spent.sum(axis=1)
    slow = [(clips["path"][k], f"{each[k]:.1f}", _STEP_NAMES[STEPS[int(spent[k].argmax())]]) for k in np.argsort(-each, kind="stable")[:5]]
    return (
        f"<h2>Where the time goes</h2><p>{total / 3600:.2f} worker-hours in all, {each.mean():.1f} s a clip, on one thread each.</p>"
        '<div class="two"><div class="card"><table><tr><th>Step</th><th class="n">s a clip</th><th class="n">95 % below</th><th class="n">Share</th><th></th></tr>'
        f"{rows}</table></div>{_table(('Slowest clips', 's', 'Mostly'), slow, 'wnt')}</div>"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], kinds: str) -> str:
    """A card with a table; ``kinds`` has n, a number, w, words that may be broken anywhere, or t for each column."""
    named = {"n": ' class="n"', "w": ' class="wrap"', "t": ""}
    head = "".join(f"<th{named[kind] if kind == 'n' else ''}>{html.escape(text)}</th>" for text, kind in zip(heads, kinds, strict=True))
    body = "".join("<tr>" + "".join(f"<td{named[kind]}>{html.escape(text)}</td>" for text, kind in zip(row, kinds, strict=True)) + "</tr>" for row in rows)
    return f'<div class="card"><table><tr>{head}</tr>{body}</table></div>'

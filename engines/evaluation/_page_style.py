"""The page's style: light or dark as the reader's browser is, in its own fonts."""

STYLE = """
:root { --paper: #fff; --ink: #1b2733; --soft: #5d6d7c; --line: #d5dee6; --rule: #9fb0bf; --panel: #f7f9fb;
  --head: #0f4c81; --good: #0f6cb5; --bad: #c8500a; --warn: #fdf7ee; --edge: #d08a2e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14191f; --ink: #dde4ea; --soft: #93a3b1; --line: #303b46;
  --rule: #526170; --panel: #1b222a; --head: #7db8e8; --good: #4aa3e8; --bad: #ee8a4a;
  --warn: #2a2318; --edge: #b97c2c; } }
* { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
html { background: var(--paper); color-scheme: light dark; }
body { max-width: 1120px; margin: 32px auto; padding: 0 20px; color: var(--ink); font: 14px/1.45 "Helvetica Neue",
  Arial, "Liberation Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1, h2, h3, p, dl, dd, ul, figure { margin: 0; padding: 0; }
h1 { font-size: 28px; font-weight: 650; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 34px 0 8px; font-size: 17px; font-weight: 650; color: var(--head); break-after: avoid; }
h3 { margin: 18px 0 6px; font-size: 14px; font-weight: 600; }
ul { list-style: none; }
.kind, .label, dt { font-size: 11px; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); }
header { padding-bottom: 14px; border-bottom: 2px solid var(--head); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 10px 24px; margin-top: 14px; }
dd { overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 18px; }
.tiles div { padding: 10px 12px; border: 1px solid var(--line); border-radius: 5px; background: var(--panel); }
.figure { font-size: 22px; font-weight: 650; line-height: 1.25; }
.small, figcaption { font-size: 12px; color: var(--soft); }
.text { max-width: 78ch; margin: 8px 0; }
p.small { margin-top: 4px; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th { padding: 4px 8px; text-align: left; font-size: 12px; font-weight: 600; color: var(--soft);
  border-bottom: 1px solid var(--rule); vertical-align: bottom; }
td { padding: 3px 8px; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th.n, td.n { text-align: right; white-space: nowrap; }
.notes { margin-top: 18px; }
.notes li { margin: 4px 0; padding: 6px 12px; border-left: 4px solid var(--edge); background: var(--warn); }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 10px 28px; align-items: start; }
@media (max-width: 520px) { .two { grid-template-columns: 1fr; } }
tr, .tiles, .notes, figure, .cell { break-inside: avoid; }
svg { max-width: 100%; height: auto; font: 11px "Helvetica Neue", Arial, "Liberation Sans", "DejaVu Sans", sans-serif; }
svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); }
svg .hit { fill: var(--good); }
svg .miss { fill: var(--bad); }
svg .empty { fill: var(--panel); stroke: var(--line); stroke-width: .5; }
svg .inverse { fill: var(--paper); }
svg .axis { stroke: var(--rule); fill: none; }
svg .grid { stroke: var(--line); fill: none; }
svg .curve { stroke: var(--good); stroke-width: 2; fill: none; }
svg .even { stroke: var(--soft); stroke-dasharray: 4 4; fill: none; }
svg .whisker { stroke: var(--ink); stroke-width: 1.2; }
svg .mark { fill: var(--bad); }
svg .points { fill: none; stroke-linecap: round; stroke-width: 4.5; stroke-opacity: .7; }
svg .rim { fill: none; stroke-linecap: round; stroke-width: 8; stroke: var(--ink); }
svg .wrong { fill: none; stroke-linecap: round; stroke-width: 5; }
.dot { display: inline-block; width: 10px; height: 10px; margin-right: 6px; border-radius: 50%; }
.legend span { margin-right: 14px; white-space: nowrap; }
.gallery { display: flex; flex-wrap: wrap; gap: 10px; margin-bottom: 10px; }
.cell { max-width: 100%; padding: 6px; border: 1px solid var(--line); border-radius: 4px;
  border-top: 3px solid var(--good); }
.cell.off { border-top-color: var(--bad); }
.cell img { display: block; max-width: 100%; image-rendering: pixelated; }
.mono { font-family: "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: 12px; overflow-wrap: anywhere; }
footer { margin-top: 34px; padding-top: 10px; border-top: 1px solid var(--line); }
"""

"""The page's style: light, for A4, in any browser's own fonts."""

STYLE = """
@page { size: A4; margin: 12mm 15mm; }
* { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
html { background: #fff; }
body { max-width: 180mm; margin: 8mm auto; color: #1b2733; font: 9pt/1.38 "Helvetica Neue", Arial, "Liberation Sans",
  "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
@media print { body { margin: 0 auto; } }
h1, h2, h3, p, dl, dd, ul { margin: 0; padding: 0; }
h1 { font-size: 19pt; font-weight: 650; line-height: 1.15; overflow-wrap: anywhere; }
h2 { margin: 5mm 0 1.2mm; font-size: 10.5pt; font-weight: 650; color: #0f4c81; }
h3 { margin-top: 1.4mm; font-size: 8.2pt; font-weight: 600; }
ul { list-style: none; }
.kind, .label, dt { font-size: 7.2pt; letter-spacing: .06em; text-transform: uppercase; color: #5d6d7c; }
.title { display: flex; justify-content: space-between; align-items: flex-start; gap: 8mm; padding-bottom: 3mm;
  border-bottom: 1.6pt solid #0f4c81; }
.badge { flex: none; padding: 1mm 3mm; border-radius: 3mm; font-size: 8.2pt; font-weight: 600; }
.badge.good { background: #e2f2e8; color: #17693a; }
.badge.warn { background: #fdeed8; color: #8a4b00; }
.facts { display: grid; grid-template-columns: repeat(3, 1fr); gap: 2mm 6mm; margin-top: 3.5mm; }
dd { overflow-wrap: anywhere; }
.tiles { display: flex; gap: 3mm; margin-top: 4mm; }
.tiles div { flex: 1; padding: 2.4mm 3mm; border: .6pt solid #d5dee6; border-radius: 1.2mm; background: #f7f9fb; }
.figure { font-size: 13.5pt; font-weight: 650; line-height: 1.2; white-space: nowrap; }
table { width: 100%; border-collapse: collapse; }
th { padding: 1mm 1.6mm; text-align: left; font-size: 7.8pt; font-weight: 600; color: #5d6d7c;
  border-bottom: .8pt solid #9fb0bf; vertical-align: bottom; }
td { padding: .62mm 1.6mm; border-bottom: .5pt solid #e3e9ee; vertical-align: top; overflow-wrap: anywhere; }
th.n, td.n { text-align: right; white-space: nowrap; }
.ways td { padding: 1.6mm; }
.ways td:nth-child(7), .ways td:nth-child(8) { white-space: nowrap; }
tr, .tiles, .sign, .two, .notes { break-inside: avoid; }
h2 { break-after: avoid; }
.small { font-size: 7.8pt; color: #5d6d7c; }
.nobreak { white-space: nowrap; }
.none { color: #5d6d7c; font-style: italic; }
.bar { vertical-align: -1px; }
.rail { fill: #e6ecf1; }
.fill, .mark { fill: #0f4c81; }
.span { fill: #8fb8d9; }
rect.software { fill: #5b8db8; }
rect.hardware { fill: #d08a2e; }
.dot { display: inline-block; width: 2.2mm; height: 2.2mm; margin-right: 1.4mm; border-radius: 50%; }
i.software { background: #5b8db8; }
i.hardware { background: #d08a2e; }
.legend { float: right; margin-top: -5.6mm; }
.aborts td:first-child { white-space: nowrap; }
.aborts .small { font-size: 7pt; }
.legend .dot:nth-of-type(2) { margin-left: 3mm; }
.aborts td:last-child { text-align: left; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 8mm; }
.sums li { padding: .5mm 0; }
.sums { margin-bottom: 2mm; }
.holds b { color: #17693a; }
.fails, .fails b { color: #b3261e; }
.notes ul { padding: 2mm 3mm; border-left: 1.2mm solid #d08a2e; background: #fdf7ee; }
.sign { display: grid; grid-template-columns: 2fr 1fr 2fr 2fr; gap: 6mm; margin-top: 10mm; }
.sign p { padding-top: 1mm; border-top: .7pt solid #1b2733; font-size: 7.8pt; color: #5d6d7c; }
footer { margin-top: 4mm; padding-top: 2mm; border-top: .5pt solid #d5dee6; font-size: 7.2pt; color: #5d6d7c; }
.mono { margin-top: 1mm; font-family: "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: 6.6pt;
  overflow-wrap: anywhere; }
"""

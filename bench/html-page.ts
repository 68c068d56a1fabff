/** The report as one page: everything it needs is in it, so it can be sent, kept and looked at without a network. */
import { readFileSync } from 'node:fs'
import { type BenchCase, benchCases } from './cases/catalogue.js'
import { type Chart, chartsOf } from './charts.js'
import { contenderNames, contenderSettings } from './contenders/catalogue.js'
import { describeRatio, describeSeries, describeSpread } from './format.js'
import { advantage } from './report.js'
import type { BenchReport } from './report-file.js'
import { Results } from './results.js'
import type { Stage, StageReport } from './stages.js'
import { toolFile } from './tools.js'

/** Parts narrower than this share of their thread have no room for a name. */
const namedShare = 0.06
/** Below this they are only noise of the sampling. */
const shownShare = 0.004

const pageFile = (name: string) => readFileSync(new URL(`../../bench/page/${name}`, import.meta.url), 'utf8')

export function htmlPage(report: BenchReport): string {
  const results = new Results(report.series)
  const sections = new Map<string, string[]>()
  const charts: Chart[] = []
  for (const benchCase of benchCases) {
    const parts = chartsOf(benchCase, results).map((chart) => {
      if (chart.kind === 'bars') return barsFigure(chart)
      charts.push(chart)
      return `<figure><figcaption>${caption(chart)}</figcaption><div class="plot" data-chart="${charts.length - 1}"></div></figure>`
    })
    if (parts.length === 0) continue
    const numbers = numbersOf(benchCase, results)
    const inSection = sections.get(benchCase.section) ?? []
    sections.set(benchCase.section, [...inSection, `<div class="case">${parts.join('')}${numbers}</div>`])
  }
  const { machine, setUp } = report
  const body = [
    `<header><h1>Bookend benchmark</h1><p>${inHtml(machine.cpu)}, ${machine.cores} cores, ${machine.memoryGib} GiB · ${inHtml(machine.kernel)} · ${inHtml(machine.fileSystem)} · Node ${inHtml(machine.node)} · Bookend ${inHtml(machine.bookend)} · ${inHtml(machine.date.slice(0, 10))} · median of ${setUp.rounds} rounds, whiskers from least to greatest</p>${setUp.isCut ? '<p class="warning">A run that was cut short: these figures say nothing about speed.</p>' : ''}</header>`,
    setUp.isCut ? '' : targetsTable(report),
    movedTable(report),
    ...[...sections].map(
      ([name, cases]) => `<section><h2>${name}</h2><div class="cases">${cases.join('')}</div></section>`,
    ),
    stagesSection(report.stages),
    settingsSection(report),
  ]
  const data = JSON.stringify(charts).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Bookend benchmark, Node ${inHtml(machine.node)}, ${inHtml(machine.date.slice(0, 10))}</title>
<style>
${readFileSync(toolFile('uplot', 'dist/uPlot.min.css'), 'utf8')}
${pageFile('page.css')}
</style>
</head>
<body>
${body.filter((part) => part !== '').join('\n')}
<script type="application/json" id="charts">${data}</script>
<script>${readFileSync(toolFile('uplot', 'dist/uPlot.iife.min.js'), 'utf8')}</script>
<script>${pageFile('plots.js')}</script>
</body>
</html>
`
}

function caption({ title, axis }: Pick<Chart, 'title' | 'axis'>): string {
  return `<b>${inHtml(title)}</b> <span>${inHtml(axis)}</span>`
}

/** Horizontal bars, longest first, one group a point: no script needed. */
function barsFigure(chart: Extract<Chart, { kind: 'bars' }>): string {
  const groups = chart.groups.map(({ name, bars }) => {
    // A scale for each group: points of one case can be a thousandfold apart.
    const most = Math.max(...bars.map(({ max }) => max))
    const percent = (value: number) => `${((value / most) * 100).toFixed(2)}%`
    const rows = bars.map(
      ({ contender, value, min, max, label }) =>
        `<span class="name">${contender}</span><span class="track" title="${inHtml(label)}"><i class="bar ${contender}" style="width:${percent(value)}"></i><i class="range" style="left:${percent(min)};width:${percent(max - min)}"></i></span><span class="value">${inHtml(label.split(' (')[0]!)}</span>`,
    )
    return `<h4>${inHtml(name)}</h4><div class="bars">${rows.join('')}</div>`
  })
  return `<figure><figcaption>${caption(chart)}</figcaption>${groups.join('')}</figure>`
}

/** Every figure behind the plots, with its spread and how many times as good the product was. */
function numbersOf(benchCase: BenchCase, results: Results): string {
  const rows = results
    .all()
    .filter(({ caseName }) => caseName === benchCase.name)
    .flatMap((series) => {
      const spread = results.spread(series, benchCase.headline)
      if (spread === undefined) return []
      const ratio = series.contender === 'bookend' ? undefined : advantage(results, benchCase, series)
      const cost = results.spread(series, 'cpuNsPerMessage')
      const cells = [
        series.contender,
        String(series.messageBytes),
        benchCase.parameter === undefined ? '' : series.parameter.toLocaleString('en'),
        series.messages.toLocaleString('en'),
        describeSpread(benchCase.headline, spread),
        ratio === undefined ? '' : describeRatio(ratio),
        cost === undefined ? '' : describeSpread('cpuNsPerMessage', cost),
      ]
      return [`<tr>${cells.map((cell) => `<td>${inHtml(cell)}</td>`).join('')}</tr>`]
    })
  const header = ['', 'bytes', benchCase.parameter ?? '', 'messages', benchCase.headline, 'Bookend', 'CPU per message']
  return `<details><summary>figures</summary><table><tr>${header.map((cell) => `<th>${cell}</th>`).join('')}</tr>${rows.join('')}</table></details>`
}

function targetsTable({ targets }: BenchReport): string {
  const rows = targets.map(
    ({ figure, reach, measured, verdict }) =>
      `<tr class="${verdict === 'reached' ? 'good' : verdict === 'NOT reached' ? 'bad' : 'open'}"><td>${inHtml(figure)}</td><td>${inHtml(reach)}</td><td>${inHtml(measured)}</td><td>${verdict}</td></tr>`,
  )
  return `<section><h2>Promised figures</h2><table class="wide"><tr><th>100 B unless said</th><th>reach</th><th>measured</th><th></th></tr>${rows.join('')}</table></section>`
}

function movedTable({ moved }: BenchReport): string {
  if (moved.length === 0) return ''
  const rows = moved.map(
    ({ key, before, after, figure, isBetter }) =>
      `<tr class="${isBetter ? 'good' : 'bad'}"><td>${inHtml(describeSeries(key))}</td><td>${figure}</td><td>x${(after / before).toFixed(2)}</td></tr>`,
  )
  return `<section><h2>Moved since the run it is compared with</h2><table class="wide">${rows.join('')}</table></section>`
}

/** An icicle a thread: its files, and the functions in them, as wide as their time. */
function stagesSection(stages: readonly StageReport[]): string {
  if (stages.length === 0) return ''
  const works = stages.map(({ work, threads }) => {
    const most = Math.max(...threads.map(({ nsPerMessage }) => nsPerMessage))
    const rows = threads.map(
      (thread) =>
        `<div class="thread"><span class="name">${thread.name} <b>${thread.nsPerMessage.toFixed(0)} ns</b></span><div class="flame" style="width:${((thread.nsPerMessage / most) * 100).toFixed(2)}%">${thread.parts.map((file, index) => block(file, thread, index)).join('')}</div></div>`,
    )
    return `<figure><figcaption><b>${work}</b> <span>ns of processor time per 100 B message, by thread, file and function, while sampled</span></figcaption>${rows.join('')}</figure>`
  })
  return `<section><h2>Where the time goes</h2>${works.join('')}</section>`
}

const hues = 8

function block(file: Stage, thread: Stage, index: number): string {
  const share = file.nsPerMessage / thread.nsPerMessage
  if (share < shownShare) return ''
  const inside = file.parts
    .filter((part) => part.nsPerMessage / thread.nsPerMessage >= shownShare)
    .map((part) => leaf(part, part.nsPerMessage / file.nsPerMessage, part.nsPerMessage / thread.nsPerMessage))
  return `<div class="file hue-${index % hues}" style="width:${(share * 100).toFixed(3)}%"><div class="label" title="${title(file)}">${share >= namedShare ? inHtml(file.name) : ''}</div><div class="functions">${inside.join('')}</div></div>`
}

function leaf(part: Stage, share: number, ofThread: number): string {
  return `<div class="label" style="width:${(share * 100).toFixed(3)}%" title="${title(part)}">${ofThread >= namedShare ? inHtml(part.name) : ''}</div>`
}

function title({ name, nsPerMessage }: Stage): string {
  return inHtml(`${name}: ${nsPerMessage.toFixed(1)} ns`)
}

function settingsSection({ versions, missing, settings }: BenchReport): string {
  const rows = contenderNames
    .filter((name) => name in settings || name in missing)
    .map(
      (name) =>
        `<dt><i class="swatch ${name}"></i>${name} ${inHtml(versions[name] ?? '')}</dt><dd>${inHtml(missing[name] === undefined ? (settings[name] ?? contenderSettings[name]) : `not available: ${missing[name]}`)}</dd>`,
    )
  return `<section><h2>Who took part, and how each was set up</h2><dl>${rows.join('')}</dl></section>`
}

function inHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** The report as one page: everything it needs is in it, so it can be sent, kept and looked at without a network. */
import { readFileSync } from 'node:fs'
import { type Chart, chartsOf } from './charts.js'
import { contenderSettings, inOrder, measures } from './contenders/catalogue.js'
import { describePoint, describeRatio, describeRounds, describeSeries, describeSpread } from './format.js'
import { advantage } from './report.js'
import { type BenchReport, casesOf, type ReportedCase } from './report-file.js'
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
  for (const benchCase of casesOf(report)) {
    const parts = chartsOf(benchCase, results).map((chart) => {
      if (chart.kind === 'bars') return barsFigure(chart)
      charts.push(chart)
      return `<figure><figcaption>${caption(chart)}</figcaption><div class="plot" data-chart="${charts.length - 1}"></div></figure>`
    })
    if (parts.length === 0) continue
    const numbers = numbersOf(benchCase, results)
    const inSection = sections.get(benchCase.section) ?? []
    const case_ = `<div class="case">${parts.join('')}${measuresOf(benchCase, results)}${numbers}</div>`
    sections.set(benchCase.section, [...inSection, case_])
  }
  const { machine, setUp } = report
  const body = [
    `<header><h1>Bookend benchmark</h1><p>${inHtml(machine.cpu)}, ${machine.cores} cores, ${machine.memoryGib} GiB · ${inHtml(machine.kernel)} · ${inHtml(machine.fileSystem)} · Node ${inHtml(machine.node)} · Bookend ${inHtml(machine.bookend)} · ${inHtml(machine.date.slice(0, 10))} · ${describeRounds(setUp.rounds)}${setUp.rounds === 1 ? '' : ', whiskers from least to greatest'}</p>${setUp.isCut ? '<p class="warning">A run that was cut short: these figures say nothing about speed.</p>' : ''}</header>`,
    summary(report, results),
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
${coloursOf(report)}
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

/** The first thing that is read: a line for each case in which somebody else took part who stores messages. */
function summary(report: BenchReport, results: Results): string {
  const rows = casesOf(report).flatMap((benchCase) => {
    const ours = results
      .all()
      .filter(({ caseName, contender }) => caseName === benchCase.name && contender === 'bookend')
    return ours.slice(0, 1).flatMap((series) => {
      const spread = results.spread(series, benchCase.headline)
      if (spread === undefined) return []
      const others = results
        .all()
        .filter(({ caseName, contender }) => caseName === benchCase.name && isRival(contender))
        .filter((other) => other.messageBytes === series.messageBytes && other.parameter === series.parameter)
        .flatMap((other) => {
          const ratio = advantage(results, benchCase, other)
          return ratio === undefined ? [] : [{ contender: other.contender, ratio }]
        })
        .sort((a, b) => a.ratio.median - b.ratio.median)
      if (others.length === 0) return []
      const against = others.map(
        ({ contender, ratio }) =>
          `<span class="rival"><i class="swatch ${contender}"></i>${contender} <b>${describeRatio({ ...ratio, count: 1 })}</b></span>`,
      )
      const what = `${benchCase.title}, ${describePoint(benchCase, series)}`
      const cells = [inHtml(what), inHtml(describeSpread(benchCase.headline, spread)), against.join(' ')]
      return [`<tr>${cells.map((each) => `<td>${each}</td>`).join('')}</tr>`]
    })
  })
  if (rows.length === 0) return ''
  const head = '<tr><th></th><th>Bookend</th><th>how many times as good it was as</th></tr>'
  return `<section><h2>In short</h2><table class="wide">${head}${rows.join('')}</table></section>`
}

/** Others that somebody would choose instead, and not a limit of the machine. */
function isRival(contender: string): boolean {
  return contender !== 'bookend' && !Object.hasOwn(measures, contender)
}

/** What those are that nobody would use, in the cases in which they stand. */
function measuresOf(benchCase: ReportedCase, results: Results): string {
  const taking = inOrder(
    results.all().flatMap(({ caseName, contender }) => (caseName === benchCase.name ? contender : [])),
  )
  const told = taking.flatMap((name) => {
    const about = measures[name]
    return about === undefined ? [] : [`<b>${name}</b> ${inHtml(about)}`]
  })
  return told.length === 0 ? '' : `<p class="who">${told.join('; ')}</p>`
}

const outsideColours = ['#c026d3', '#0d9488', '#a16207', '#4f46e5', '#be123c', '#4d7c0f']

/** The same in every plot: each contender has a class with its colour, which page.css names for ours. */
function coloursOf({ settings, missing }: BenchReport): string {
  const names = [...Object.keys(settings), ...Object.keys(missing)]
  const theirs = names.filter((name) => !Object.hasOwn(contenderSettings, name))
  const colours = theirs.map((name, index) => `:root { --${name}: ${outsideColours[index % outsideColours.length]}; }`)
  return [...colours, ...names.map((name) => `.${name} { background: var(--${name}); }`)].join('\n')
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
      ({ contender, value, min, max, label, ratio }) =>
        `<span class="name" title="${inHtml(measures[contender] ?? '')}">${contender}</span><span class="track" title="${inHtml(label)}"><i class="bar ${contender}" style="width:${percent(value)}"></i><i class="range" style="left:${percent(min)};width:${percent(max - min)}"></i></span><span class="value">${inHtml(label.split(' (')[0]!)}</span><span class="ratio" title="how many times as good Bookend was">${ratio}</span>`,
    )
    return `<h4>${inHtml(name)}</h4><div class="bars">${rows.join('')}</div>`
  })
  return `<figure><figcaption>${caption(chart)}</figcaption>${groups.join('')}</figure>`
}

/** Every figure behind the plots, with its spread and how many times as good the product was. */
function numbersOf(benchCase: ReportedCase, results: Results): string {
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
  const rows = inOrder([...Object.keys(settings), ...Object.keys(missing)]).map(
    (name) =>
      `<dt><i class="swatch ${name}"></i>${name} ${inHtml(versions[name] ?? '')}</dt><dd>${inHtml(missing[name] === undefined ? (settings[name] ?? contenderSettings[name]) : `not available: ${missing[name]}`)}</dd>`,
  )
  return `<section><h2>Who took part, and how each was set up</h2><dl>${rows.join('')}</dl></section>`
}

function inHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/* global uPlot */
/** Draws the charts of the page; runs in the browser, where the page has put uPlot and the data beside it. */
const charts = JSON.parse(document.getElementById('charts').textContent)
const style = getComputedStyle(document.documentElement)
const colour = (name) => style.getPropertyValue(`--${name}`).trim()
const height = 260
const noneLabel = ''

function scaled(value, steps) {
  const [divisor, unit] = steps.find(([least]) => Math.abs(value) >= least) ?? steps.at(-1)
  const shown = value / divisor
  return `${shown >= 100 ? Math.round(shown) : Number(shown.toPrecision(3))}${unit}`
}

const thousands = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e3, ' k'],
  [1, ''],
]
const describers = {
  messagesPerSecond: (value) => `${scaled(value, thousands)}/s`,
  bytesPerSecond: (value) => `${scaled(value, thousands)}B/s`,
  nsPerMessage: (value) =>
    value >= 1000 ? `${Number((value / 1000).toPrecision(3))} us` : `${Number(value.toPrecision(3))} ns`,
  p50Us: (value) =>
    value >= 1000 ? `${Number((value / 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} us`,
}
const describeY = (chart) =>
  describers[chart.y] ??
  ((value) => `${Number(value.toPrecision(3)).toLocaleString('en')} ${chart.y.endsWith('Ms') ? 'ms' : ''}`)

const describeX = {
  bytes: (value) =>
    value % 1024 === 0
      ? scaled(value, [
          [1 << 20, ' MiB'],
          [1024, ' KiB'],
        ])
      : `${scaled(value, thousands)}${value >= 1000 ? '' : ' '}B`,
  count: (value) => value.toLocaleString('en'),
  // 1 is the least, 2 the median, 10, 100, 1000 the 90th, 99th, 99.9th percentile.
  nines: (value) => (value <= 1 ? 'min' : `p${Number((100 - 100 / value).toFixed(3))}`),
}

/** From least to greatest round, through every point. */
function whiskers(chart) {
  return (plot) => {
    const { ctx } = plot
    ctx.save()
    ctx.lineWidth = 1.5 * devicePixelRatio
    chart.lines.forEach((line, index) => {
      if (!plot.series[index + 1].show) return
      ctx.strokeStyle = colour(line.contender)
      chart.places.forEach((place, at) => {
        if (line.min[at] === null || line.min[at] === line.max[at]) return
        const x = plot.valToPos(place, 'x', true)
        ctx.beginPath()
        ctx.moveTo(x, plot.valToPos(line.min[at], 'y', true))
        ctx.lineTo(x, plot.valToPos(line.max[at], 'y', true))
        ctx.stroke()
      })
    })
    ctx.restore()
  }
}

/** Places measured are the ones worth a tick. */
function ticksOf(chart) {
  if (chart.x !== 'nines') return chart.places
  return chart.places.filter((place) => [2, 10, 100, 1000, 10_000].includes(Math.round(place)))
}

function draw(element, chart) {
  element.replaceChildren()
  const axis = { stroke: colour('soft'), grid: { stroke: colour('grid'), width: 1 }, ticks: { stroke: colour('line') } }
  const y = describeY(chart)
  const x = describeX[chart.x]
  const options = {
    width: element.clientWidth,
    height,
    scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
    axes: [
      {
        ...axis,
        splits: () => ticksOf(chart),
        values: (_plot, splits) => splits.map(x),
        filter: (_plot, splits) => splits,
      },
      { ...axis, size: 76, values: (_plot, splits) => splits.map((split) => (split === null ? '' : y(split))) },
    ],
    series: [
      { value: (_plot, value) => (value === null ? noneLabel : x(value)), label: '' },
      ...chart.lines.map((line) => ({
        label: line.contender,
        stroke: colour(line.contender),
        width: line.contender === 'bookend' ? 2.5 : 1.5,
        points: { show: true, size: line.contender === 'bookend' ? 7 : 5, fill: colour(line.contender) },
        value: (_plot, value) => (value === null ? noneLabel : y(value)),
      })),
    ],
    hooks: { draw: [whiskers(chart)] },
  }
  new uPlot(options, [chart.places, ...chart.lines.map((line) => line.values)], element)
}

function drawAll() {
  for (const element of document.querySelectorAll('[data-chart]')) draw(element, charts[Number(element.dataset.chart)])
}

drawAll()
addEventListener('resize', drawAll)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll)

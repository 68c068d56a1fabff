/** A chart over time, in the colours of the page. */
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'

export interface Series {
  label: string
  values: number[]
}

interface Props {
  title: string
  /** Seconds since the epoch. */
  at: number[]
  lines: Series[]
  inWords: (value: number) => string
  /** Counted in units of 1,024. */
  isBinary?: boolean
}

const height = 150
const lineColours = 6
const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power)

export function Chart(props: Props) {
  const { title, at, lines, inWords } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const names = lines.map(({ label }) => label).join('\n')
  const data: uPlot.AlignedData = [at, ...lines.map(({ values }) => values)]
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const draw = () => {
      plot.current?.destroy()
      plot.current = new uPlot(optionsOf(element, props), data, element)
    }
    draw()
    const size = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }))
    size.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', draw)
    return () => {
      scheme.removeEventListener('change', draw)
      size.disconnect()
      plot.current?.destroy()
    }
  }, [names])
  useEffect(() => plot.current?.setData(data))
  const last = lines.map(({ label, values }) => `${label} ${inWords(values.at(-1) ?? 0)}`).join('; ')
  return (
    <figure class="chart">
      <figcaption>
        {title}
        {lines.length === 1 && <strong>{inWords(lines[0].values.at(-1) ?? 0)}</strong>}
      </figcaption>
      <div ref={place} role="img" aria-label={`${title} over the last minutes; now ${last}`} />
      {lines.length > 1 && (
        <ul class="legend">
          {lines.map(({ label, values }, index) => (
            <li key={label}>
              <span class={`swatch line-${index % lineColours}`} />
              {label} <strong>{inWords(values.at(-1) ?? 0)}</strong>
            </li>
          ))}
        </ul>
      )}
    </figure>
  )
}

function optionsOf(element: HTMLElement, { lines, inWords, isBinary = false }: Props): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, size: 28, values: (_, splits) => splits.map(clock) },
      {
        ...axis,
        size: 70,
        values: (_, splits) => splits.map(inWords),
        ...(isBinary ? { incrs: powersOfTwo } : {}),
      },
    ],
    series: [
      {},
      ...lines.map(({ label }, index) => ({
        label,
        stroke: colour(`--series-${index % lineColours}`),
        width: 2,
        points: { show: false },
      })),
    ],
  }
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB')
}

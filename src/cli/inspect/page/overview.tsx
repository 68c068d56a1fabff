/** The log at a glance. */

import { bytes, counted, whole } from '../../units.js'
import type { Picture, StripPart } from '../api.js'
import { Chart } from './chart.js'
import type { History } from './history.js'
import { number, Table, Tile } from './parts.js'
import { Strip } from './strip.js'

export function Overview({ picture, history }: { picture: Picture; history: History }) {
  const { published, durable, trimmed, strip, topics } = picture
  const { moments } = history
  const at = moments.map((moment) => moment.at)
  const unflushed = published - durable
  return (
    <>
      <Strip parts={strip} />
      <dl class="tiles">
        <Tile label="Stored" value={bytes(published - trimmed)} more={counted(segmentsOf(strip), 'segment')} />
        <Tile label="In memory" value={residentText(strip)} />
        <Tile label="On the device" value={unflushed === 0 ? 'all of it' : `all but ${bytes(unflushed)}`} />
        <Tile label="Deleted so far" value={bytes(trimmed)} />
      </dl>
      <div class="charts">
        <Chart
          title="Messages per second"
          at={at}
          lines={[{ label: 'messages', values: moments.map((moment) => moment.messagesPerSecond) }]}
          inWords={rate}
        />
        <Chart
          title="Bytes per second"
          at={at}
          lines={[{ label: 'bytes', values: moments.map((moment) => moment.bytesPerSecond) }]}
          inWords={bytes}
          isBinary
        />
        <Chart
          title="Published, not yet on the device"
          at={at}
          lines={[{ label: 'bytes', values: moments.map((moment) => moment.unflushedBytes) }]}
          inWords={bytes}
          isBinary
        />
      </div>
      <div>
        <h2>Topics</h2>
        {topics.length === 0 ? (
          <p class="quiet">Nothing was appended yet.</p>
        ) : (
          <TopicTable {...{ picture, history }} />
        )}
      </div>
    </>
  )
}

function TopicTable({ picture: { topics }, history }: { picture: Picture; history: History }) {
  const rates = history.moments.at(-1)?.rates
  return (
    <Table
      label="Table of topics"
      columns={['Topic', number('First'), number('Next'), number('Messages'), number('Per second')]}
    >
      {topics.map(({ name, first, next }) => (
        <tr key={name}>
          <td>
            <a href={`#messages/${name}`}>{name}</a>
          </td>
          <td class="number">{whole(first)}</td>
          <td class="number">{whole(next)}</td>
          <td class="number">{whole(next - first)}</td>
          <td class="number">{rate(rates?.get(name) ?? 0)}</td>
        </tr>
      ))}
    </Table>
  )
}

function segmentsOf(strip: StripPart[]): number {
  return strip.reduce((sum, part) => sum + (part.kind === 'run' ? part.count : 1), 0)
}

function residentText(strip: StripPart[]): string {
  const known = strip.map((part) => part.residentBytes)
  return known.some((resident) => resident < 0) ? 'not known' : bytes(known.reduce((sum, each) => sum + each, 0))
}

/** Three digits that count: 0.4, 12.3, 4,560, 12.3 M. */
function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)} M`
  if (perSecond >= 100 || perSecond === 0) return whole(perSecond)
  return String(Number(perSecond.toPrecision(2)))
}

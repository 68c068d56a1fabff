/** The log as a strip: both ends in memory, the middle on disk. */
import type { ComponentChildren } from 'preact'
import { bytes, counted, whole } from '../../units.js'
import type { RunPart, SegmentPart, StripPart } from '../api.js'
import { number, Table } from './parts.js'

export function Strip({ parts }: { parts: StripPart[] }) {
  return (
    <div>
      <h2>The log on disk, and what of it is in memory</h2>
      <div class="strip" role="img" aria-label={summaryOf(parts)}>
        {parts.map((part) =>
          part.kind === 'run' ? <Run key={part.position} run={part} /> : <Block key={part.position} segment={part} />,
        )}
      </div>
      <p class="ends" aria-hidden="true">
        <span>oldest</span>
        <span>newest</span>
      </p>
      <p class="legend">
        <span class="swatch writer" /> mapped by the writer <span class="swatch reader" /> by readers{' '}
        <span class="swatch cache" /> in the page cache only <span class="swatch none" /> on disk only
      </p>
      <details>
        <summary>As a table</summary>
        <SegmentTable parts={parts} />
      </details>
    </div>
  )
}

const tall = 40

function Block({ segment }: { segment: SegmentPart }) {
  const { position, shares, state } = segment
  const width = 100 / Math.max(1, shares.length)
  return (
    <div class={`segment ${state} ${useOf(segment)}`} title={titleOf(segment)}>
      <Fill>
        {shares.map((share, index) =>
          share === 0 ? null : (
            <rect key={index} x={index * width} width={width} y={tall * (1 - share)} height={tall * share} />
          ),
        )}
      </Fill>
      <span>{bytes(position)}</span>
    </div>
  )
}

function Run({ run }: { run: RunPart }) {
  const { count, bytes: size, residentBytes, isCold } = run
  const share = residentBytes / size
  return (
    <div
      class={`segment run ${isCold ? 'cold' : 'cache'}`}
      title={`${stateOf(run)}, ${onDisk(run)} on disk, ${inMemory(run)}`}
    >
      {!isCold && (
        <Fill>
          <rect x={0} width={100} y={tall * (1 - share)} height={tall * share} />
        </Fill>
      )}
      <span>
        {whole(count)} {isCold ? 'cold' : 'warm'}, {bytes(size)}
      </span>
    </div>
  )
}

function Fill({ children }: { children: ComponentChildren }) {
  return (
    <svg viewBox={`0 0 100 ${tall}`} preserveAspectRatio="none" shape-rendering="crispEdges" aria-hidden="true">
      {children}
    </svg>
  )
}

function useOf({ mappings }: SegmentPart): 'writer' | 'reader' | 'cache' {
  if (mappings.write > 0) return 'writer'
  return mappings.read > 0 ? 'reader' : 'cache'
}

function inMemory({ residentBytes }: StripPart): string {
  return residentBytes < 0 ? 'in memory: not known' : `${bytes(residentBytes)} in memory`
}

function mappedBy(part: StripPart): string {
  if (part.kind === 'run') return 'nobody'
  const { write, read } = part.mappings
  const parts = [write > 0 ? 'the writer' : '', read > 0 ? counted(read, 'reader') : '']
  return parts.filter((each) => each !== '').join(', ') || 'nobody'
}

/** Less than its size where messages that nobody needs were left out, or it was packed. */
function onDisk({ diskBytes }: StripPart): string {
  return diskBytes < 0 ? 'not known' : bytes(diskBytes)
}

function stateOf(part: StripPart): string {
  if (part.kind === 'run')
    return `${whole(part.count)} sealed${part.packed === 0 ? '' : `, ${whole(part.packed)} packed`}`
  const { state, packed } = part
  return `1 ${state}${packed === undefined ? '' : `, packed with ${packed.codec}, x${packed.ratio.toFixed(1)}`}`
}

function titleOf(segment: SegmentPart): string {
  return `${stateOf(segment)}, at ${whole(segment.position)}: ${onDisk(segment)} on disk, ${inMemory(segment)}, mapped by ${mappedBy(segment)}`
}

function summaryOf(parts: StripPart[]): string {
  const texts = parts.map((part) =>
    part.kind === 'run'
      ? `${counted(part.count, 'sealed segment')} of ${bytes(part.bytes)}, ${inMemory(part)}`
      : `one ${part.state} segment, ${inMemory(part)}, mapped by ${mappedBy(part)}`,
  )
  return `From the oldest: ${texts.join('; ')}.`
}

function SegmentTable({ parts }: { parts: StripPart[] }) {
  return (
    <Table
      label="Table of segments"
      columns={[number('Position'), 'Segments', number('Size'), number('On disk'), 'In memory', 'Mapped by']}
    >
      {parts.map((part) => (
        <tr key={part.position}>
          <td class="number">{whole(part.position)}</td>
          <td>{stateOf(part)}</td>
          <td class="number">{bytes(part.bytes)}</td>
          <td class="number">{onDisk(part)}</td>
          <td>{inMemory(part)}</td>
          <td>{mappedBy(part)}</td>
        </tr>
      ))}
    </Table>
  )
}

/** Drawing the pages of a log: a line per segment, a strip of its resident pages, who maps it. */
import type { LogPagesView, SegmentPagesView } from '../local/log-pages.js'
import type { Terminal } from './terminal.js'
import { bytes, counted, whole } from './units.js'

/** One line: a segment, or several that are shown as one. */
export type Row =
  | { segment: SegmentPagesView }
  | { count: number; residentBytes: number; mappings: number; from: number; to: number }

/** Fewer cold segments in a row are not worth a line that stands for them. */
const leastCollapsed = 3

/** A file that takes less of its size on the disk has holes that are worth telling. */
const sparseShare = 7 / 8

/** What stands around the strip: position, state, size, mappings. */
const fixedColumns = 38

/** Cells that fit the strip of a line. */
export function stripCells({ columns }: Terminal, lastPosition: number): number {
  return Math.max(10, Math.min(160, columns - fixedColumns - widthOf(lastPosition)))
}

function widthOf(lastPosition: number): number {
  return Math.max(8, String(lastPosition).length)
}

/**
 * At most `maxRows` lines: cold segments in a row become one line; if that is not enough, the ends stay and the middle
 * becomes one.
 */
export function collapse(segments: readonly SegmentPagesView[], maxRows: number): Row[] {
  if (segments.length <= maxRows) return segments.map((segment) => ({ segment }))
  const rows: Row[] = []
  for (let index = 0; index < segments.length; ) {
    let end = index
    while (end < segments.length && isCold(segments[end])) end += 1
    if (end - index >= leastCollapsed) {
      rows.push(together(segments.slice(index, end)))
      index = end
    } else {
      rows.push({ segment: segments[index] })
      index += 1
    }
  }
  if (rows.length <= maxRows) return rows
  const head = Math.ceil((maxRows - 1) / 2)
  const tail = maxRows - 1 - head
  const position = (row: Row) => ('segment' in row ? row.segment.position : row.from)
  const from = position(rows[head])
  const to = tail === 0 ? Number.POSITIVE_INFINITY : position(rows[rows.length - tail])
  const middle = together(segments.filter((segment) => segment.position >= from && segment.position < to))
  return [...rows.slice(0, head), middle, ...rows.slice(rows.length - tail)]
}

function isCold({ residentBytes, mappings, state }: SegmentPagesView): boolean {
  return state === 'sealed' && residentBytes === 0 && mappings.write + mappings.read === 0
}

/** Most of what it was has been given back to the disk: it was written anew without what nobody needed. */
function isSparse({ state, bytes, diskBytes }: SegmentPagesView): boolean {
  return state === 'sealed' && diskBytes < bytes * sparseShare
}

function together(segments: readonly SegmentPagesView[]): Row {
  return {
    count: segments.length,
    residentBytes: segments.reduce((sum, { residentBytes }) => sum + Math.max(0, residentBytes), 0),
    mappings: segments.reduce((sum, { mappings }) => sum + mappings.write + mappings.read, 0),
    from: segments[0].position,
    to: (segments.at(-1) as SegmentPagesView).position,
  }
}

export function pagesScreen(view: LogPagesView, terminal: Terminal, maxRows: number): string[] {
  const { colors, columns } = terminal
  const last = view.segments.at(-1)?.position ?? 0
  const width = widthOf(last)
  const cells = stripCells(terminal, last)
  const title = `${colors.bold(view.directory)}  ${colors.dim(ownerText(view))}`
  const head = `${'position'.padStart(width)}  ${'state'.padEnd(8)}  ${'resident pages'.padEnd(cells)}  ${'resident'.padStart(9)}  mapped`
  const rows = collapse(view.segments, maxRows).map((row) => {
    if ('segment' in row) return segmentLine(row.segment, terminal, width, cells)
    const mapped = row.mappings === 0 ? '' : `, ${counted(row.mappings, 'mapping')}`
    const resident = row.residentBytes === 0 ? '0 resident' : `${bytes(row.residentBytes)} resident`
    return colors.dim(`${'...'.padStart(width)}  ${whole(row.count)} segments, ${resident}${mapped} ...`)
  })
  const lines = [title, '', colors.dim(head), ...rows, '', totals(view), legend(terminal)]
  return terminal.isInteractive ? lines : lines.map((line) => (line.length > columns ? line : line.trimEnd()))
}

function ownerText({ owner, seesMappings }: LogPagesView): string {
  if (owner.state === 'none') return 'nobody has it open for writing'
  if (owner.state === 'unknown') return 'whether it is open cannot be told'
  const who = owner.pid === undefined ? 'open' : `open in process ${owner.pid}`
  return seesMappings ? who : `${who}, whose mappings may not be seen from here`
}

function segmentLine(segment: SegmentPagesView, terminal: Terminal, width: number, cells: number): string {
  const { colors } = terminal
  const { position, state, packed, residentBytes, mappings } = segment
  const shown = packed !== undefined ? 'packed' : isSparse(segment) ? 'sparse' : state
  const { write, read } = mappings
  const resident = residentBytes < 0 ? '?' : residentBytes === 0 ? '-' : bytes(residentBytes)
  // What is packed is not mapped, but by who had it open before.
  const mapped = [
    packed === undefined ? '' : `x${packed.ratio.toFixed(1)}`,
    write > 0 ? 'rw' : '',
    read > 1 ? `r x${read}` : read > 0 ? 'r' : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
  const paintState = state === 'active' ? colors.bold : state === 'prepared' ? colors.dim : (text: string) => text
  return [
    String(position).padStart(width),
    paintState(shown.padEnd(8)),
    strip(segment, terminal, cells),
    resident.padStart(9),
    mapped === '' ? '' : paint(terminal, segment)(mapped),
  ]
    .join('  ')
    .trimEnd()
}

/** Written to: yellow. Read: green. In the page cache only: blue. */
function paint({ colors }: Terminal, { mappings }: SegmentPagesView): (text: string) => string {
  if (mappings.write > 0) return colors.yellow
  return mappings.read > 0 ? colors.green : colors.blue
}

const blocks = { none: '·', levels: '░▒▓█' }
const letters = { none: '.', levels: '-=+#' }

function strip(segment: SegmentPagesView, terminal: Terminal, cells: number): string {
  const { none, levels } = terminal.hasBlocks ? blocks : letters
  if (segment.shares.length === 0) return '?'.repeat(cells)
  const hot = paint(terminal, segment)
  const { dim } = terminal.colors
  let line = ''
  for (let at = 0; at < segment.shares.length; ) {
    // Runs of the same character share one colour sequence.
    const symbol = symbolOf(segment.shares[at], none, levels)
    let end = at
    while (end < segment.shares.length && symbolOf(segment.shares[end], none, levels) === symbol) end += 1
    line += (symbol === none ? dim : hot)(symbol.repeat(end - at))
    at = end
  }
  return line
}

function symbolOf(share: number, none: string, levels: string): string {
  return share === 0 ? none : levels[Math.min(levels.length - 1, Math.floor(share * levels.length))]
}

function totals({ segments }: LogPagesView): string {
  const sum = (of: (segment: SegmentPagesView) => number) => segments.reduce((total, segment) => total + of(segment), 0)
  const mapped = sum((segment) => (segment.mappings.write + segment.mappings.read) * segment.bytes)
  const mappings = sum((segment) => segment.mappings.write + segment.mappings.read)
  const isKnown = segments.every(({ residentBytes }) => residentBytes >= 0)
  const resident = isKnown ? `${bytes(sum(({ residentBytes }) => residentBytes))} resident` : 'resident bytes not known'
  return `${counted(segments.length, 'segment')}, ${bytes(sum((segment) => segment.bytes))}; ${resident}; ${bytes(mapped)} mapped in ${counted(mappings, 'mapping')}`
}

function legend(terminal: Terminal): string {
  const { none, levels } = terminal.hasBlocks ? blocks : letters
  const { yellow, green, blue, dim } = terminal.colors
  const shares = `${none} none  ${levels[0]} some  ${levels[levels.length - 1]} all pages in memory`
  return `${dim(shares)}   ${yellow('rw writer')}  ${green('r readers')}  ${blue('page cache only')}`
}

import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { collapse, pagesScreen, stripCells } from '../../src/cli/pages-screen.js'
import type { Terminal } from '../../src/cli/terminal.js'
import type { LogPagesView, SegmentPagesView } from '../../src/local/log-pages.js'
import { isMappable } from '../../src/memory/file-system.js'
import { loadLibc } from '../../src/memory/libc.js'
import { residentMap } from '../../src/memory/resident-map.js'
import { bookend, bookendJson, closedLog, commandFile, segmentFile, small, temporaryFolder } from './command.js'

const hasNative = !(loadLibc() instanceof Error)
/** In memory every page is resident: this needs a file system with a disk below it. */
const hasDisk = hasNative && isMappable(os.tmpdir()) && fs.statfsSync(os.tmpdir()).type !== 0x01021994

function evict(file: string): void {
  fs.closeSync(fs.openSync(file, 'r'))
  execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' })
}

function residentPages(file: string): number {
  return residentMap(file, 1 << 20)?.pages.reduce((sum, page) => sum + (page & 1), 0) ?? -1
}

it.runIf(hasDisk)('tells cold segments from hot ones, and brings no page to memory by looking', async () => {
  const directory = await closedLog(temporaryFolder(os.tmpdir()))
  const cold = segmentFile(directory, 0)
  const hot = segmentFile(directory, 1)
  evict(cold)
  fs.readFileSync(hot)
  expect(residentPages(cold)).toBe(0)
  for (const args of [[], ['--json']]) {
    expect((await bookend(['pages', directory, ...args])).status).toBe(0)
    expect(residentPages(cold)).toBe(0)
  }
  const { json } = await bookendJson<LogPagesView>('pages', directory)
  expect(json.segments[0]).toMatchObject({
    position: 0,
    state: 'sealed',
    residentBytes: 0,
    mappings: { write: 0, read: 0 },
  })
  expect(json.segments[0].shares.every((share) => share === 0)).toBe(true)
  expect(json.segments[1].residentBytes).toBeGreaterThan(500_000)
  const { out } = await bookend(['pages', directory])
  expect(out).toMatch(/^ +0 {2}sealed +\.+ +-$/m)
})

it.runIf(hasNative)('shows the mappings of the process that has it open, and takes no lock', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, { ...small, io: 'mmap' })
  onTestFinished(() => log.close())
  for (let number = 0; number < 100; number++) await log.topic('t').append(new Uint8Array(20_000))
  await log.topic('t').get(0)
  const { json } = await bookendJson<LogPagesView>('pages', directory)
  expect(json).toMatchObject({ owner: { state: 'running', pid: process.pid }, seesMappings: true })
  expect(json.segments[0]).toMatchObject({ state: 'sealed', mappings: { write: 0, read: 1 } })
  const active = json.segments.find(({ mappings }) => mappings.write > 0)
  expect(active?.mappings.write).toBe(1)
  expect((await bookend(['pages', directory])).out).toContain(`open in process ${process.pid}`)
  await log.topic('t').append(new Uint8Array(10))
})

it('watches as text into a pipe until it is told to stop', async () => {
  const directory = await closedLog()
  const child = spawn(process.execPath, [commandFile, 'pages', directory, '--watch', '0.1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  const isEnough = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      out += chunk
      if ((out.match(/position +state/g) ?? []).length >= 3) resolve()
    })
  })
  await isEnough
  child.kill('SIGINT')
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
})

const hasScript = fs.existsSync('/usr/bin/script')

it.runIf(hasScript)(
  'on a terminal it draws on a screen of its own, and gives the terminal back on Ctrl-C',
  async () => {
    const directory = await closedLog()
    const command = `stty cols 90 rows 12; exec ${process.execPath} ${commandFile} pages ${directory} -w 0.1`
    const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    let out = ''
    const isDrawn = new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (chunk) => {
        out += chunk
        if (out.split('\x1b[H').length > 3) resolve()
      })
    })
    await isDrawn
    // Typed: the terminal makes a signal of it.
    child.stdin.write('\x03')
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
    expect(out.indexOf('\x1b[?1049h\x1b[?25l')).toBeGreaterThanOrEqual(0)
    expect(out.trimEnd().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
  },
)

const plain: Terminal = { isInteractive: false, colors: undefined as never, hasBlocks: false, columns: 100, rows: 24 }

function segments(count: number, hot: (index: number) => boolean): SegmentPagesView[] {
  return Array.from({ length: count }, (_, index) => ({
    position: index * (1 << 20),
    file: `${index}`,
    bytes: 1 << 20,
    diskBytes: index === 1 ? 1 << 12 : 1 << 20,
    state: 'sealed',
    packed: index === 2 ? { codec: 'deflate', ratio: 7.62 } : undefined,
    residentBytes: hot(index) ? 1 << 20 : 0,
    shares: [hot(index) ? 1 : 0],
    mappings: { write: 0, read: 0 },
  }))
}

it('collapses the cold middle of thousands of segments into one line', () => {
  const rows = collapse(
    segments(5_000, (index) => index < 3 || index > 4_994),
    20,
  )
  expect(rows.length).toBe(3 + 1 + 5)
  expect(rows[3]).toMatchObject({ count: 4_992, residentBytes: 0 })
})

it('never draws more lines than asked for, whatever is hot, and loses no segment', () => {
  for (const hot of [() => true, (index: number) => index % 2 === 0, (index: number) => index % 7 < 3]) {
    for (const most of [1, 2, 3, 10, 50]) {
      const all = segments(1_000, hot)
      const rows = collapse(all, most)
      expect(rows.length).toBeLessThanOrEqual(most)
      const count = rows.reduce((sum, row) => sum + ('segment' in row ? 1 : row.count), 0)
      expect(count).toBe(1_000)
    }
  }
  expect(
    collapse(
      segments(4, () => false),
      10,
    ).length,
  ).toBe(4)
})

it('fits the width of the terminal', async () => {
  const { default: picocolors } = await import('picocolors')
  for (const columns of [60, 80, 132]) {
    const screen = { ...plain, columns, colors: picocolors.createColors(false) }
    const all = segments(3, () => true)
    const cells = stripCells(screen, all[2].position)
    for (const segment of all) segment.shares = new Array(cells).fill(1)
    const owner = { state: 'none' as const, signature: '' }
    const view: LogPagesView = {
      directory: '/log',
      owner,
      seesMappings: true,
      published: 0,
      durable: 0,
      trimmed: 0,
      segments: all,
    }
    const lines = pagesScreen(view, screen, 10)
    for (const line of lines.slice(2, 6)) expect(line.length).toBeLessThanOrEqual(columns)
    // The disk has most of the second one back.
    expect(lines.slice(3, 6).map((line) => line.split(/ +/).filter((word) => word !== '')[1])).toEqual([
      'sealed',
      'sparse',
      'packed',
    ])
    expect(lines[5].endsWith(' x7.6')).toBe(true)
  }
})

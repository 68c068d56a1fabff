/**
 * Real file systems made for the run: shut down under the writer (power loss by the page), full at random levels, out of inodes,
 * made read-only while they are used, and rebuilt from the log of their block device at random moments with torn sectors.
 * Root, loop devices, e2fsprogs, xfsprogs; for the block log also fuse3, nbdkit with its Python plugin, libnbd and python3.
 *
 * Mutants they catch: sparse allocation (small-file-systems), acknowledges before the flush (fs-shutdown, block-log).
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, statfsSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'
import { JudgedLog, pause, root, WriterProcess } from './writer-process.js'

const kinds = { ext4: ['mkfs.ext4', '-q', '-m', '0'], xfs: ['mkfs.xfs', '-q', '-f'] } as const
type Kind = keyof typeof kinds

/** A file system in a file, mounted for as long as `use` runs. */
class Image {
  readonly file: string
  readonly folder: string

  constructor(scratch: string, kind: Kind, megabytes: number) {
    this.file = path.join(scratch, `${kind}.img`)
    this.folder = path.join(scratch, `mnt-${kind}`)
    mkdirSync(this.folder, { recursive: true })
    writeFileSync(this.file, '')
    truncateSync(this.file, megabytes << 20)
    const [command, ...args] = kinds[kind]
    execFileSync(command, [...args, this.file])
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.file, this.folder])
  }

  unmount(): void {
    // A shut down file system may be busy for a moment after its user was killed.
    for (let tries = 0; spawnSync('umount', [this.folder]).status !== 0 && tries < 50; tries++)
      spawnSync('sleep', ['0.1'])
  }

  remove(): void {
    rmSync(this.file, { force: true })
  }
}

function missing(...commands: string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  const absent = commands.filter((command) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0)
  return absent.length === 0 ? undefined : `no ${absent.join(', ')}`
}

export const shutdown: Fault = {
  name: 'fs-shutdown',
  isRoot: true,
  weight: 10,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    for (const kind of ['ext4', 'xfs'] as const) {
      for (const level of ['disk', 'process']) {
        const row = emptyRow(`file system shut down, ${kind}, level ${level}`)
        rows.push(row)
        row.note = missing('mkfs.ext4', 'mkfs.xfs', 'xfs_io', 'losetup')
        if (row.note !== undefined) continue
        const own = context.part(5 - rows.length)
        const random = context.random(level === 'disk' ? 8 : 9)
        const output = path.join(context.acknowledgements, 'acks')
        const image = new Image(context.scratch, kind, 320)
        let log: JudgedLog | undefined
        for (let cycle = 0; own.more(cycle, level === 'disk' ? 250 : 40); cycle++) {
          image.mount()
          // What level `process` promises begins anew with each power cut.
          if (log === undefined || cycle % 8 === 0 || level === 'process')
            log = new JudgedLog(path.join(image.folder, 'log'), output)
          execFileSync('sync', ['-f', image.folder])
          const writer = new WriterProcess(log.directory, output, ['--level', level, '--bytes', '2000'])
          await writer.begins()
          await pause(random.below(300))
          // Before the shutdown: a sync that is under way then may return as if nothing had happened, on ext4 and xfs alike (Linux 6.18; a
          // program that does nothing but store a page and msync it loses its last page in one of seven shutdowns).
          const { acknowledged, consumed } = writer.said()
          execFileSync('xfs_io', ['-x', '-c', 'shutdown', image.folder])
          writer.child.kill('SIGKILL')
          await writer.ended
          const said = { ...writer.said(), acknowledged, consumed }
          image.unmount()
          image.mount()
          try {
            await log.judge(row, said, `cycle ${cycle}`, level === 'process')
          } finally {
            image.unmount()
          }
        }
        image.remove()
      }
    }
    return rows
  },
}

export const smallFileSystems: Fault = {
  name: 'small-file-systems',
  isRoot: true,
  weight: 9,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    for (const [index, kind] of (['tmpfs', 'ext4', 'xfs'] as const).entries())
      rows.push(await fill(context.part(5 - index), kind))
    rows.push(await noInodes(context.part(2)), await readOnly(context.part(1)))
    return rows
  },
}

const waitOut = ['--level', 'process', '--records', '12000', '--topics', '0', '--wait-out']

async function fill(context: Context, kind: Kind | 'tmpfs'): Promise<Row> {
  const row = emptyRow(`disk full at a random level, ${kind}`)
  row.note = kind === 'tmpfs' ? missing() : missing(kinds[kind][0], 'losetup')
  if (row.note !== undefined) return row
  const random = context.random(11)
  const output = path.join(context.acknowledgements, 'acks')
  const resumed: number[] = []
  for (let run = 0; context.more(run, 30); run++) {
    const image = kind === 'tmpfs' ? undefined : new Image(context.scratch, kind, kind === 'xfs' ? 320 : 96)
    const folder = image?.folder ?? path.join(context.scratch, 'mnt-tmpfs')
    mkdirSync(folder, { recursive: true })
    if (image === undefined) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder])
    else image.mount()
    try {
      const free = statfsSync(folder)
      const filler = path.join(folder, 'filler')
      const leave = 3_300_000 + random.below(3 << 20)
      execFileSync('fallocate', ['-l', String(Math.max(4096, free.bavail * free.bsize - leave)), filler])
      const log = new JudgedLog(path.join(folder, 'log'), output)
      // Full where a segment has to be made, and within one.
      const segment = run % 2 === 0 ? '1' : '16'
      const writer = new WriterProcess(log.directory, output, [...waitOut, '--segment', segment])
      const end = performance.now() + 30_000
      while (writer.said().codes.length === 0 && !writer.hasEnded && performance.now() < end) await pause(10)
      await pause(50 + random.below(100))
      const wasFull = writer.said().codes.includes('BOOKEND_NO_SPACE')
      const freed = process.hrtime.bigint()
      unlinkSync(filler)
      const isLate = await writer.endsWithin(60_000)
      const { status, signal } = await writer.ended
      const said = writer.said()
      if (said.resumedAt !== undefined) resumed.push(Number(said.resumedAt - freed) / 1e6)
      const name = `run ${run}, ${leave} bytes left`
      if (signal !== null || isLate || !said.isDone)
        row.failures.push(`${name}: ${signal ?? status} ${said.codes} ${writer.errors}`)
      if (!wasFull) row.failures.push(`${name}: was never full`)
      if (said.codes.some((code) => code !== 'BOOKEND_NO_SPACE')) row.failures.push(`${name}: ${said.codes}`)
      await log.judge(row, said, name)
    } finally {
      if (image === undefined) execFileSync('umount', ['-l', folder])
      else image.unmount()
      image?.remove()
    }
  }
  // Here the time that counts is from space being freed to the next acknowledgement.
  row.recoveryMs = resumed
  row.note = 'recovery: from space being freed to the next acknowledgement'
  return row
}

async function noInodes(context: Context): Promise<Row> {
  const row = emptyRow('no inodes left, tmpfs')
  row.note = missing()
  if (row.note !== undefined) return row
  const folder = path.join(context.scratch, 'inodes')
  const output = path.join(context.acknowledgements, 'acks')
  for (let run = 0; context.more(run, 6); run++) {
    mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=64m,nr_inodes=${9 + (run % 3)}`, 'tmpfs', folder])
    try {
      const log = new JudgedLog(path.join(folder, 'log'), output)
      const writer = new WriterProcess(log.directory, output, waitOut)
      const end = performance.now() + 20_000
      while (writer.said().codes.length === 0 && !writer.hasEnded && performance.now() < end) await pause(10)
      execFileSync('mount', ['-o', 'remount,nr_inodes=1000', folder])
      const isLate = await writer.endsWithin(60_000)
      const said = writer.said()
      if (isLate || !said.isDone) row.failures.push(`run ${run}: ${said.codes} ${writer.errors}`)
      await log.judge(row, said, `run ${run}`)
    } finally {
      execFileSync('umount', ['-l', folder])
    }
  }
  return row
}

async function readOnly(context: Context): Promise<Row> {
  const row = emptyRow('remounted read-only under the writer, ext4')
  row.note = missing('mkfs.ext4', 'losetup')
  if (row.note !== undefined) return row
  const output = path.join(context.acknowledgements, 'acks')
  const random = context.random(12)
  for (let run = 0; context.more(run, 6); run++) {
    const image = new Image(context.scratch, 'ext4', 96)
    image.mount()
    const log = new JudgedLog(path.join(image.folder, 'log'), output)
    const writer = new WriterProcess(log.directory, output, ['--level', 'disk', '--bytes', '2000'])
    await writer.begins()
    await pause(random.below(300))
    // Files open for writing forbid the ordinary way: this is the one that an error of the device takes.
    execFileSync('mount', ['-o', 'remount,abort', image.folder])
    const isLate = await writer.endsWithin(20_000)
    const { status, signal } = await writer.ended
    const said = writer.said()
    image.unmount()
    image.mount()
    try {
      if (isLate || signal !== null || status !== 3)
        row.failures.push(`run ${run}: ${signal ?? status} ${said.codes} ${writer.errors}`)
      await log.judge(row, said, `run ${run}`)
    } finally {
      image.unmount()
      image.remove()
    }
  }
  return row
}

/** Of one disk log, and of all of one file system. */
const pointsPerRun = 100
const usualPoints = 500

/** A disk that logs its writes, under a real file system, under the writer; then rebuilt at random moments, sector by sector. */
export const blockLog: Fault = {
  name: 'block-log',
  isRoot: true,
  weight: 8,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    const tool = (name: string) => path.join(root, 'test/faults/tools', name)
    for (const kind of ['ext4', 'xfs'] as const) {
      const row = { ...emptyRow(`power cut, block log replayed, ${kind}`), acknowledged: 0, lost: 0, wrong: 0 }
      rows.push(row)
      const note = missing('mkfs.ext4', 'mkfs.xfs', 'losetup', 'nbdkit', 'nbdfuse', 'fusermount3', 'python3')
      if (note !== undefined) {
        rows[rows.length - 1].note = note
        continue
      }
      const folder = path.join(context.scratch, kind)
      const own = context.part(3 - rows.length)
      const points = Math.min(pointsPerRun, Math.ceil(usualPoints * context.scale))
      for (let run = 0; own.more(run * points, usualPoints); run++) {
        try {
          rmSync(folder, { recursive: true, force: true })
          mkdirSync(folder)
          execFileSync('bash', [tool('up.sh'), folder, kind], { stdio: ['ignore', 'ignore', 'inherit'] })
          const output = path.join(context.acknowledgements, 'ack.txt')
          let said: ReturnType<WriterProcess['said']>
          try {
            const writer = new WriterProcess(path.join(folder, 'mnt/log'), output, [
              '--level',
              'disk',
              '--bytes',
              '1500',
            ])
            await writer.begins()
            await pause(1_000)
            writer.child.kill('SIGKILL')
            await writer.ended
            said = writer.said()
          } finally {
            execFileSync('bash', [tool('down.sh'), folder], { stdio: 'inherit' })
          }
          writeFileSync(path.join(folder, 'ack.txt'), readFileSync(output))
          row.acknowledged += said.acknowledged + 1
          const verify = `${process.execPath} ${fileURLToPath(new URL('./verify-main.js', import.meta.url))}`
          const replay = spawnSync('python3', [tool('replay.py'), folder, String(points), String(context.seed + run)], {
            encoding: 'utf8',
            env: { ...process.env, VERIFY: verify },
          })
          const figures = /points=(\d+) lost=(\d+) wrong=(\d+)/.exec(replay.stdout)
          row.runs += Number(figures?.[1] ?? 0)
          row.lost += Number(figures?.[2] ?? 0)
          row.wrong += Number(figures?.[3] ?? 0)
          if (replay.status !== 0)
            row.failures.push(...replay.stdout.trim().split('\n').slice(0, 6), replay.stderr.slice(0, 300))
        } catch (error) {
          row.failures.push(`run ${run}: ${messageOf(error)}`)
        }
      }
    }
    return rows
  },
}

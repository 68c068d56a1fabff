/**
 * EIO at the nth flush, once and for ever. The kernel reports a failed flush once and may drop the pages, so a second answer means
 * nothing. Must: where data of the log was flushed, everything that waits fails with BOOKEND_IO and nothing is acknowledged any
 * more until the log is opened again; never a silent retry; what was acknowledged is there.
 *
 * Mutant it catches: flushes again after a failure, and believes it.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { buildInjector, JudgedLog, underInjector, WriterProcess } from './writer-process.js'

const work = ['--level', 'disk', '--records', '700', '--bytes', '6000']
/** Short, and nothing beside them: the writer flushes them itself where that is quick. */
const lone = ['--level', 'disk', '--records', '700', '--topics', '0']

export const flushErrors: Fault = {
  name: 'flush-errors',
  isRoot: false,
  weight: 55,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('EIO at one flush, and at all from one on')
    const library = buildInjector(context.scratch)
    if (library === undefined) return [{ ...row, note: 'no C compiler' }]
    const output = path.join(context.acknowledgements, 'flush')
    const trace = path.join(context.scratch, 'trace')
    const random = context.random(4)
    let refused = 0
    let harmless = 0
    for (let run = 0; context.more(run, 12); run++) {
      const io = run % 2 === 0 ? 'auto' : 'file'
      // What flushes the data: by range where the tail is mapped, by file where it is not.
      const isLone = run % 3 === 1
      const byRange = io === 'auto' && !isLone
      const call = run % 4 === 2 ? random.pick(['fsync', 'fdatasync']) : byRange ? 'msync' : 'fdatasync'
      const at = 1 + random.below(call === 'fsync' ? 4 : 12)
      const rule = `${call}:EIO:${at}${run % 3 === 0 ? '+' : ''}`
      const log = new JudgedLog(path.join(context.scratch, 'flush', 'log'), output)
      rmSync(trace, { force: true })
      const environment = underInjector(library, rule, 'flush/log', trace)
      const writer = new WriterProcess(log.directory, output, [...(isLone ? lone : work), '--io', io], environment)
      const isLate = await writer.endsWithin(60_000)
      const { status, signal } = await writer.ended
      const said = writer.said()
      const name = `${rule} (io ${io}${isLone ? ', lone' : ''})`
      const hits = existsSync(trace)
        ? readFileSync(trace, 'latin1')
            .split('\n')
            .filter((line) => line.includes(' hit '))
        : []
      const hasMetData = hits.some(
        (line) => line.startsWith('msync') || (line.endsWith('.seg') && !line.startsWith('fsync')),
      )
      if (isLate) row.failures.push(`${name}: hangs`)
      else if (signal !== null || (status !== 0 && status !== 3))
        row.failures.push(`${name}: ended with ${signal ?? status}: ${writer.errors}`)
      if (said.codes.some((code) => code !== 'BOOKEND_IO' && code !== 'EIO'))
        row.failures.push(`${name}: ${said.codes}`)
      if (hasMetData && said.isDone) row.failures.push(`${name}: went on as if nothing had happened`)
      if (said.codes.length > 0) refused += 1
      else harmless += 1
      await log.judge(row, said, name)
    }
    row.note = `${refused} refused with BOOKEND_IO, ${harmless} not reached or done anew`
    return [row]
  },
}

/**
 * Every flush takes half a second longer. Must: only appends at level `disk` wait for it; the event loop of the application never
 * does, and level `process` goes on.
 *
 * Mutant it catches: waits for the flush on the thread of the application.
 */
import path from 'node:path'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { buildInjector, JudgedLog, underInjector, WriterProcess } from './writer-process.js'

const slowMs = 500

export const slowDisk: Fault = {
  name: 'slow-disk',
  isRoot: false,
  weight: 20,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    const library = buildInjector(context.scratch)
    const output = path.join(context.acknowledgements, 'slow')
    for (const [level, records] of [
      ['process', '4000'],
      ['disk', '60'],
    ]) {
      const row = emptyRow(`every flush ${slowMs} ms slower, level ${level}`)
      let worst = 0
      const own = context.part(2 - rows.length)
      for (let run = 0; library !== undefined && own.more(run, 1); run++) {
        const rules = `msync:SLOW${slowMs}:1+,fdatasync:SLOW${slowMs}:1+`
        const log = new JudgedLog(path.join(context.scratch, 'slow', 'log'), output)
        const args = ['--level', level, '--records', records, '--topics', '0', '--delays']
        const writer = new WriterProcess(log.directory, output, args, underInjector(library, rules, 'slow/log'))
        if (await writer.endsWithin(90_000)) row.failures.push('hangs')
        const said = writer.said()
        if (!said.isDone) row.failures.push(`did not finish: ${said.codes} ${writer.errors}`)
        worst = Math.max(worst, said.delayMs)
        // As long as a flush: the application's thread has waited for one.
        if (said.delayMs >= slowMs) row.failures.push(`the event loop stood still for ${said.delayMs} ms`)
        await log.judge(row, said, level)
      }
      row.note = `longest delay of the event loop ${worst.toFixed(0)} ms`
      rows.push(row)
    }
    return rows
  },
}

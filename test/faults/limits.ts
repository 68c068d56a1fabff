/**
 * No space (ENOSPC, EDQUOT, EFBIG at the allocation of a segment), no descriptors, a limit on the size of files, no mappings: for a
 * while, under a process that appends. Must: a typed error, no signal, everything acknowledged readable, appends go on by
 * themselves when it is over.
 *
 * Mutant it catches: does not wait a full disk out.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { buildInjector, JudgedLog, pause, underInjector, WriterProcess } from './writer-process.js'

const work = ['--level', 'process', '--records', '25000', '--topics', '0', '--wait-out']

export const limits: Fault = {
  name: 'limits',
  isRoot: false,
  weight: 45,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    const output = path.join(context.acknowledgements, 'limits')
    const library = buildInjector(context.scratch)
    const random = context.random(5)
    const log = () => new JudgedLog(path.join(context.scratch, 'limits', 'log'), output)
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE'] as const) {
      const row = emptyRow(`${code} where segments are made, for a while`)
      const own = context.part(7 - rows.length)
      for (let run = 0; library !== undefined && own.more(run, 2); run++) {
        const call = code === 'EMFILE' ? 'open' : 'fallocate'
        const from = 4 + random.below(4)
        const rules = Array.from({ length: 6 }, (_, at) => `${call}:${code}:${from + at}`).join()
        const one = log()
        const writer = new WriterProcess(one.directory, output, work, underInjector(library, rules, '.seg'))
        await settle(row, writer, `${code} from ${from}`, !(await writer.endsWithin(90_000)))
        await one.judge(row, writer.said(), `${code} from ${from}`)
      }
      rows.push(row)
    }
    const mapping = emptyRow('ENOMEM at the nth mapping of a segment')
    const own = context.part(3)
    for (let run = 0; library !== undefined && own.more(run, 3); run++) {
      const at = 1 + random.below(8)
      const one = log()
      const args = ['--level', 'process', '--records', '12000', '--topics', '0']
      const writer = new WriterProcess(
        one.directory,
        output,
        args,
        underInjector(library, `mmap:ENOMEM:${at}+`, '.seg'),
      )
      const isLate = await writer.endsWithin(60_000)
      await settle(mapping, writer, `ENOMEM from ${at}`, !isLate, true)
      await one.judge(mapping, writer.said(), `ENOMEM from ${at}`)
    }
    rows.push(mapping)
    for (const [what, limit] of [
      ['files may not grow (RLIMIT_FSIZE)', 'fsize=200000:'],
      ['no descriptors (RLIMIT_NOFILE)', 'nofile=12:'],
    ]) {
      const row = emptyRow(what)
      const [name] = limit.split('=')
      const own = context.part(7 - rows.length)
      for (let run = 0; own.more(run, 2); run++) {
        const one = log()
        const writer = new WriterProcess(one.directory, output, work)
        await writer.begins()
        await pause(random.below(200))
        const isSet = prlimit(writer.child.pid as number, limit)
        await pause(400)
        prlimit(writer.child.pid as number, `${name}=${name === 'fsize' ? 'unlimited' : '1024'}:`)
        const isLate = await writer.endsWithin(90_000)
        if (!isSet) continue
        await settle(row, writer, what, !isLate)
        await one.judge(row, writer.said(), what)
      }
      rows.push(row)
    }
    return rows
  },
}

function prlimit(pid: number, limit: string): boolean {
  return spawnSync('prlimit', ['--pid', String(pid), `--${limit}`]).status === 0
}

async function settle(row: Row, writer: WriterProcess, name: string, hasEnded: boolean, mayEnd = false): Promise<void> {
  const { status, signal } = await writer.ended
  const said = writer.said()
  if (!hasEnded) row.failures.push(`${name}: hangs, ${said.codes.slice(0, 3)}`)
  else if (signal !== null) row.failures.push(`${name}: ended with ${signal}`)
  else if (!said.isDone && !(mayEnd && status === 3))
    row.failures.push(`${name}: ended with ${status}: ${said.codes} ${writer.errors}`)
  for (const code of new Set(said.codes))
    if (!code.startsWith('BOOKEND_')) row.failures.push(`${name}: failed with ${code}`)
}

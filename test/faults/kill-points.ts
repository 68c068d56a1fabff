/**
 * SIGKILL at the nth call of each kind that changes what is on disk, then again while it recovers. Must: opens after each, nothing
 * acknowledged lost, and goes on.
 *
 * Mutant it catches: leaves half made segments behind.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { buildInjector, JudgedLog, underInjector, WriterProcess } from './writer-process.js'

const calls = ['msync', 'fsync', 'fdatasync', 'fallocate', 'open', 'rename', 'unlink', 'pwrite', 'write']
const work = ['--level', 'disk', '--records', '2200', '--bytes', '3000', '--trim-behind', '100']

export const killPoints: Fault = {
  name: 'kill-points',
  isRoot: false,
  weight: 65,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('killed at one call')
    const library = buildInjector(context.scratch)
    if (library === undefined) return [{ ...row, note: 'no C compiler' }]
    const output = path.join(context.acknowledgements, 'kill-points')
    const directory = path.join(context.scratch, 'points', 'log')
    const trace = path.join(context.scratch, 'trace')
    const runOnce = async (log: JudgedLog, rules: string) => {
      rmSync(trace, { force: true })
      const writer = new WriterProcess(log.directory, output, work, underInjector(library, rules, 'points/log', trace))
      const isLate = await writer.endsWithin(60_000)
      return { ...(await writer.ended), isLate, said: writer.said(), errors: writer.errors }
    }
    const log = new JudgedLog(directory, output)
    const whole = await runOnce(log, '')
    if (!whole.said.isDone) row.failures.push(`the undisturbed writer failed: ${whole.errors} ${whole.said.codes}`)
    const text = existsSync(trace) ? readFileSync(trace, 'latin1') : ''
    const totals = calls.map((call) => text.split('\n').filter((line) => line.startsWith(`${call} `)).length)
    const points = calls.flatMap((call, index) =>
      Array.from({ length: totals[index] }, (_, at) => ({ call, at: at + 1 })),
    )
    const random = context.random(2)
    // Every kind in turn, so that rare calls (a rename, an unlink) are not lost among the writes.
    const chosen: typeof points = []
    const byCall = calls.map((call) => points.filter((point) => point.call === call)).filter((list) => list.length > 0)
    while (byCall.some((list) => list.length > 0)) {
      for (const list of byCall) if (list.length > 0) chosen.push(list.splice(random.below(list.length), 1)[0])
    }
    let unreached = 0
    let recovering = 0
    for (let index = 0; index < chosen.length && context.more(index - unreached, 16); index++) {
      const { call, at } = chosen[index]
      const name = `${call} ${at}`
      const one = new JudgedLog(directory, output)
      const killed = await runOnce(one, `${call}:KILL:${at}`)
      if (killed.signal !== 'SIGKILL') {
        // Threads share the work differently from run to run.
        unreached += 1
        continue
      }
      if (index % 3 === 0) {
        // And once more, early in the life of the one who recovers.
        const again = await runOnce(
          one,
          `${random.pick(['pwrite', 'fsync', 'fdatasync', 'open'])}:KILL:${1 + random.below(6)}`,
        )
        if (again.signal === 'SIGKILL') recovering += 1
        killed.said.acknowledged = Math.max(killed.said.acknowledged, again.said.acknowledged)
        killed.said.trimmedTo = Math.max(killed.said.trimmedTo, again.said.trimmedTo)
      }
      await one.judge(row, killed.said, name)
      const onwards = await runOnce(one, '')
      if (!onwards.said.isDone) row.failures.push(`${name}: does not go on: ${onwards.errors} ${onwards.said.codes}`)
      await one.judge(row, onwards.said, `after ${name}`)
    }
    row.note = `${points.length} points known, ${unreached} not reached, ${recovering} killed again while recovering`
    return [row]
  },
}

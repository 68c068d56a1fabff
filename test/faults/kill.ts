/**
 * `kill -9` of a process in which the writer, the reaper and a reader work on many topics, with groups and trims, at a random
 * moment, early ones included (while it opens and recovers). Must: nothing acknowledged lost, nothing doubled, no gap; what consumers
 * have acknowledged does not come again, and what they have not is not passed over.
 *
 * Mutant it catches: acknowledges what it has not written. None shows yet that it would catch lost commits: few are made in a life.
 */
import path from 'node:path'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { JudgedLog, pause, WriterProcess } from './writer-process.js'

const ways: [string, string[]][] = [
  ['level process', ['--level', 'process']],
  ['level disk', ['--level', 'disk']],
  ['io file', ['--level', 'process', '--io', 'file']],
]
/** As many lives does one log have, then a new one begins. */
const livesPerLog = 25

export const kill: Fault = {
  name: 'kill',
  isRoot: false,
  weight: 70,
  async run(context: Context): Promise<Row[]> {
    const rows = ways.map(([name]) => emptyRow(`kill -9, ${name}`))
    const random = context.random(1)
    const output = path.join(context.acknowledgements, 'kill')
    const logs: JudgedLog[] = []
    for (let cycle = 0; context.more(cycle, 36); cycle++) {
      const way = cycle % ways.length
      if (Math.floor(cycle / ways.length) % livesPerLog === 0) {
        logs[way] = new JudgedLog(path.join(context.scratch, `log-${way}`), output)
      }
      const log = logs[way]
      const writer = new WriterProcess(log.directory, output, ['--consume', ...ways[way][1]])
      const isEarly = random.chance(0.3)
      const delay = random.below(isEarly ? 300 : 150)
      if (!isEarly) await writer.begins()
      await pause(delay)
      if (writer.hasEnded) rows[way].failures.push(`cycle ${cycle}: ended by itself: ${writer.errors}`)
      writer.child.kill('SIGKILL')
      await writer.ended
      await log.judge(rows[way], writer.said(), `cycle ${cycle}`)
    }
    return rows
  },
}

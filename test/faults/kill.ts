/**
 * `kill -9` of a process in which the writer, the reaper and a reader work on many topics, with groups and trims, at a random
 * moment, early ones included (while it opens and recovers). Must: nothing acknowledged lost, nothing doubled, no gap; what consumers
 * have acknowledged does not come again, and what they have not is not passed over.
 *
 * Mutants it catches: acknowledges what it has not written, of messages and of what consumers commit.
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
    const commits = ways.map(() => 0)
    for (let cycle = 0; cycle < ways.length || context.more(cycle, 36); cycle++) {
      const way = cycle % ways.length
      const life = Math.floor(cycle / ways.length) % livesPerLog
      if (life === 0) logs[way] = new JudgedLog(path.join(context.scratch, `log-${way}`), output)
      const log = logs[way]
      const writer = new WriterProcess(log.directory, output, ['--consume', ...ways[way][1]])
      const isEarly = random.chance(0.3)
      const delay = random.below(isEarly ? 300 : 150)
      // In the first life, and in some others, consumers have something to lose.
      if (life === 0 || (!isEarly && random.chance(0.5))) await writer.begins(({ consumed }) => consumed > 0)
      else if (!isEarly) await writer.begins()
      await pause(delay)
      if (writer.hasEnded) rows[way].failures.push(`cycle ${cycle}: ended by itself: ${writer.errors}`)
      writer.child.kill('SIGKILL')
      await writer.ended
      const said = writer.said()
      if (said.consumed > 0) commits[way] += 1
      await log.judge(rows[way], said, `cycle ${cycle}`)
      rows[way].note = `consumers had acknowledged in ${commits[way]}`
    }
    return rows
  },
}

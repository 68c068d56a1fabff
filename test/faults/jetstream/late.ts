/**
 * What was sent arrives late: held back on its way, given up, written by another try, and only then given to the server. Must: appends and the copy of a
 * mirror are written once, in their order, whatever comes behind them.
 *
 * Mutants it catches: a mirror that does not say how the copy has to end.
 */
import { open } from 'bookend/jetstream'
import type { Context, Fault, Row } from '../fault.js'
import { behindPassage } from './behind-passage.js'
import { comesTrue, compareValues, valuesOf, withRow } from './world.js'

/** Longer than a try takes until it is given up. */
const patienceMs = 60_000

export const jetStreamLate: Fault = {
  name: 'jetstream-late',
  isRoot: false,
  needsServers: true,
  weight: 30,
  run: (context: Context): Promise<Row[]> =>
    withRow('batches that arrive late, JetStream', context, async (row, defer) => {
      const random = context.random(44)
      const { servers, passage, log, copy, topic, outbox } = await behindPassage('late', context.scratch, defer)
      const sent = ['begin']
      row.acknowledged = 0
      for (let round = 0; context.more(round, 4); round++) {
        const begunMs = performance.now()
        passage.holdBack()
        const values = Array.from({ length: 1 + random.below(20) }, (_, index) => `<${round}.${index}>`)
        sent.push(...values)
        const appended = topic.appendMany(values)
        await outbox.appendMany(values)
        const last = values.at(-1) as string
        if (!(await comesTrue(() => passage.holds(last) >= 2, patienceMs))) row.failures.push('nothing was on its way')
        passage.abandon()
        await appended
        if (!(await comesTrue(() => copy.position === sent.length, patienceMs)))
          row.failures.push(`the copy was not whole ${patienceMs / 1_000} s behind a connection that was lost`)
        await passage.deliverLate()
        row.recoveryMs.push(performance.now() - begunMs)
        row.acknowledged += values.length
        row.runs += 1
      }
      compareValues(row, 'the topic', await valuesOf(log, 't'), sent)
      const there = await open(servers.urls, { name: 'copies', replicas: 1 })
      defer(() => there.close())
      compareValues(row, 'the copy', await valuesOf(there, 't'), sent)
    }),
}

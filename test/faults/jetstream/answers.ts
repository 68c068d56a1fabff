/**
 * Answers of a server that do not arrive: what was sent has been done, and nobody is told; then the connection is cut. Must: appends are written once and in
 * their order, the copy of a mirror is the topic, and an acknowledgement does not resolve before the server has answered.
 *
 * Mutants it catches: an id for each try; acknowledgements that ask for no answer; a mirror that goes on from its own position.
 */
import { open } from 'bookend/jetstream'
import type { Context, Fault, Row } from '../fault.js'
import { behindPassage } from './behind-passage.js'
import { comesTrue, compareValues, pause, valuesOf, withRow } from './world.js'

export const jetStreamAnswers: Fault = {
  name: 'jetstream-answers',
  isRoot: false,
  needsServers: true,
  weight: 30,
  run: (context: Context): Promise<Row[]> =>
    withRow('answers lost, JetStream', context, async (row, defer) => {
      const random = context.random(41)
      const { servers, passage, log, copy, topic, outbox } = await behindPassage('answers', context.scratch, defer)
      const consumer = topic.group('g').consume()
      const sent = ['begin']
      row.acknowledged = 0
      for (let round = 0; context.more(round, 5); round++) {
        const { value: delivery } = await consumer.next()
        passage.loseAnswers()
        const begunMs = performance.now()
        const values = Array.from({ length: 1 + random.below(30) }, (_, index) => `${round}.${index}`)
        sent.push(...values)
        const appends =
          values.length % 2 === 0 ? [topic.appendMany(values)] : values.map((value) => topic.append(value))
        void outbox.appendMany(values)
        let isAcknowledged = false
        const acknowledging = delivery?.ack().then(() => {
          isAcknowledged = true
        })
        await pause(300)
        if (isAcknowledged) row.failures.push(`round ${round}: an acknowledgement resolved that nobody had answered`)
        // Long enough, now and then, for a try to be given up while the connection is there.
        if (random.chance(0.3)) await pause(3_500)
        passage.cut()
        await Promise.all(appends)
        await acknowledging
        if (!(await comesTrue(() => copy.position === sent.length, 60_000))) {
          row.failures.push(`round ${round}: the copy was not whole a minute after the connection was there again`)
          break
        }
        row.recoveryMs.push(performance.now() - begunMs)
        row.acknowledged += values.length
        row.runs += 1
      }
      // One that was lost on its way to us comes later: counted are those that were acknowledged, wherever they stand.
      const isKnown = async () => {
        const { next, lag } = await topic.group('g').position()
        return next - lag === row.runs
      }
      compareValues(row, 'the topic', await valuesOf(log, 't'), sent)
      const there = await open(servers.urls, { name: 'copies', replicas: 1 })
      defer(() => there.close())
      compareValues(row, 'the copy', await valuesOf(there, 't'), sent)
      if (!(await comesTrue(() => isKnown(), 10_000)))
        row.failures.push('acknowledgements that had resolved are not known')
      row.note = `${log.stats().connection?.found} batches found written`
    }),
}

/**
 * A processor in order, over a connection that is cut, that loses answers, and a server that is killed. Must: every message is handled, and none overtakes
 * another where it comes for the first time; what cannot be handled is a dead letter, once.
 *
 * Mutants it catches: taking what is at hand although something is missing below it; dead letters without an id that outlives the try.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { text } from 'bookend'
import { open } from 'bookend/jetstream'
import { Passage } from '../../support/nats/passage.js'
import { Servers } from '../../support/nats/servers.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import type { Context, Fault, Row } from '../fault.js'
import { root } from '../writer-process.js'
import { comesTrue, pause, withRow } from './world.js'

/** Less than is asked for ahead: what is appended is on its way at once, and lost there. */
const mostBehind = 50

export const jetStreamProcessing: Fault = {
  name: 'jetstream-processing',
  isRoot: false,
  needsServers: true,
  weight: 40,
  run: (context: Context): Promise<Row[]> =>
    withRow('a processor, connections cut and the server killed', context, async (row, defer) => {
      const random = context.random(45)
      const servers = await Servers.start({ sync: 'always' })
      defer(() => servers.stop())
      const passage = await Passage.to(servers.urls[0])
      defer(async () => passage.close())
      const producer = await open(servers.urls, { name: 'processing', replicas: 1 })
      defer(() => producer.close())
      const log = await open(passage.url, { name: 'processing', replicas: 1, ackWaitMs: 1_000 })
      defer(() => log.close())
      const topic = producer.topic('t', { codec: text })
      const record = new HandlerRecord(context.scratch)
      const module = pathToFileURL(path.join(root, 'test/fixtures/handler-records.mjs'))
      module.searchParams.set('file', record.file)
      const options = { batchSize: 8, retries: 1, backoffMs: 1, deadLetter: 'dead' }
      const processor = log.topic('t', { codec: text }).group('g').process(module, options)
      const bad = new Set<number>()
      let next = 0
      let isOver = false
      const producing = (async () => {
        while (!isOver) {
          const values = Array.from({ length: 1 + random.below(30) }, (_, index) => {
            if (random.chance(0.05)) bad.add(next + index)
            return bad.has(next + index) ? 'throw' : 'good'
          })
          next = (await topic.appendMany(values)).first + values.length
          // No more than it gets through: what is behind in the end would be all that is measured.
          do await pause(5)
          while (!isOver && (await topic.group('g').position()).lag > mostBehind)
        }
      })()
      for (; context.more(row.runs, 8); row.runs++) {
        await pause(200 + random.below(800))
        const kind = random.pick(['cut', 'cut', 'answers', 'kill'])
        if (kind === 'cut') passage.cut()
        else if (kind === 'answers') {
          passage.loseAnswers()
          await pause(random.below(1_500))
          passage.cut()
        } else {
          const [node] = servers.nodes
          await node.kill()
          await pause(random.below(500))
          await node.restart()
        }
      }
      isOver = true
      await producing
      const isDone = async () => (await topic.group('g').position()).lag === 0
      if (!(await comesTrue(isDone, 120_000)))
        row.failures.push(`not everything was handled: ${JSON.stringify(await topic.group('g').position())}`)
      const handled = [...new Set(record.offsets())]
      row.acknowledged = next
      const seen = new Set(handled)
      row.lost = Array.from({ length: next }, (_, offset) => offset).filter(
        (offset) => !bad.has(offset) && !seen.has(offset),
      ).length
      const overtaken = handled.filter((offset, index) => index > 0 && offset < handled[index - 1]).length
      if (overtaken > 0) row.failures.push(`${overtaken} messages were handled behind a later one`)
      const letters = new Map<number, number>()
      for await (const { headers } of producer.topic('dead').read()) {
        const offset = Number(headers?.['bookend-offset'])
        letters.set(offset, (letters.get(offset) ?? 0) + 1)
      }
      row.duplicates = [...letters.values()].filter((count) => count > 1).length
      if (row.lost > 0) row.failures.push(`${row.lost} messages were not handled`)
      if (row.duplicates > 0) row.failures.push(`${row.duplicates} dead letters are there twice`)
      const missing = [...bad].filter((offset) => offset < next && !letters.has(offset)).length
      if (missing > 0) row.failures.push(`${missing} messages that cannot be handled are no dead letters`)
      await processor.stop()
      row.note = `${letters.size} dead letters, ${processor.stats.failed} failed calls, ${log.stats().connection?.losses} losses`
    }),
}

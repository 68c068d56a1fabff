/**
 * A mirror under `kill -9` of its application and of the servers, in any order, at any moment. Must: the copy is the topic, message by message, and the
 * topic has what was acknowledged.
 */
import path from 'node:path'
import { open as openLocal } from 'bookend'
import { open } from 'bookend/jetstream'
import { Servers } from '../../support/nats/servers.js'
import type { Context, Fault, Row } from '../fault.js'
import { Application } from './application.js'
import { comesTrue, pause, valuesOf, withRow } from './world.js'

const drainMs = 60_000

/** The application, in all its lives. */
class Mirrored {
  readonly #args: readonly string[]
  #application: Application
  /** Highest offset that was acknowledged. */
  acked = -1
  isDrained = false
  readonly failures: string[] = []

  constructor(directory: string, urls: readonly string[]) {
    this.#args = [directory, urls.join(','), '1']
    this.#application = this.#start()
  }

  async kill(): Promise<void> {
    await this.#application.kill()
    this.#application = this.#start()
  }

  async untilAtWork(): Promise<void> {
    const before = this.acked
    await comesTrue(() => this.acked > before || this.#application.hasEnded, 30_000)
  }

  /** Nothing more is appended, and the copy comes to its end. */
  async drain(): Promise<void> {
    this.#application.terminate()
    if (!(await comesTrue(() => this.isDrained, drainMs)))
      this.failures.push(`the copy was not whole in ${drainMs / 1_000} s`)
  }

  async end(): Promise<void> {
    await this.#application.kill()
  }

  #start(): Application {
    return new Application('mirror-app.mjs', this.#args, (line) => {
      const [what, offset] = line.split(' ')
      if (what === 'acked') this.acked = Math.max(this.acked, Number(offset))
      else if (what === 'drained') this.isDrained = true
      else if (what === 'failed') this.failures.push(line)
    })
  }
}

export const jetStreamMirror: Fault = {
  name: 'jetstream-mirror',
  isRoot: false,
  needsServers: true,
  weight: 80,
  run: (context: Context): Promise<Row[]> =>
    withRow('a mirror, application and servers killed', context, async (row, defer) => {
      const random = context.random(43)
      const servers = await Servers.start({ sync: 'always' })
      defer(() => servers.stop())
      const directory = path.join(context.scratch, 'outbox')
      const application = new Mirrored(directory, servers.urls)
      defer(() => application.end())
      const kills = { application: 0, server: 0 }
      const killApplication = async () => {
        await application.kill()
        kills.application += 1
      }
      for (; context.more(row.runs, 16); row.runs++) {
        await application.untilAtWork()
        await pause(random.below(400))
        if (random.chance(0.5)) {
          const [node] = servers.nodes
          await node.kill()
          kills.server += 1
          if (random.chance(0.4)) await killApplication()
          await pause(random.below(1_500))
          await node.restart()
        } else await killApplication()
      }
      await application.untilAtWork()
      await application.drain()
      await application.end()
      row.failures.push(...application.failures)
      const { acked } = application
      const local = await openLocal(directory)
      defer(() => local.close())
      const there = await open(servers.urls, { name: 'copies', replicas: 1 })
      defer(() => there.close())
      const [here, copied] = [await valuesOf(local, 'outbox'), await valuesOf(there, 'outbox')]
      row.acknowledged = acked + 1
      row.lost = Math.max(0, acked + 1 - copied.length)
      row.duplicates = copied.length - new Set(copied).size
      row.wrong = copied.filter((value, index) => value !== here[index]).length
      if (copied.length !== here.length)
        row.failures.push(`${copied.length} of ${here.length} messages are in the copy`)
      row.note = `${kills.application} of the application, ${kills.server} of the server, ${here.length} messages`
    }),
}

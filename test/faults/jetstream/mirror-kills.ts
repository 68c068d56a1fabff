/**
 * A mirror under `kill -9` of its application and of the servers, in any order, at any moment. Must: the copy is the topic, message by message, and the
 * topic has what was acknowledged.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { open as openLocal } from 'bookend'
import { open } from 'bookend/jetstream'
import { Servers } from '../../support/nats/servers.js'
import type { Context, Fault, Row } from '../fault.js'
import { root } from '../writer-process.js'
import { comesTrue, valuesOf, withRow } from './world.js'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const drainMs = 60_000

class Application {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  output = ''

  constructor(directory: string, urls: readonly string[], replicas: number) {
    const program = path.join(root, 'test/fixtures/mirror-app.mjs')
    this.child = spawn(process.execPath, [program, directory, urls.join(','), String(replicas)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
    })
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
  }

  get acked(): number {
    return Math.max(-1, ...[...this.output.matchAll(/^acked (\d+)$/gm)].map(([, number]) => Number(number)))
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
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
      let application = new Application(directory, servers.urls, 1)
      defer(() => application.kill())
      let acked = -1
      const kills = { application: 0, server: 0 }
      const killApplication = async () => {
        await application.kill()
        acked = Math.max(acked, application.acked)
        kills.application += 1
        application = new Application(directory, servers.urls, 1)
      }
      for (; context.more(row.runs, 16); row.runs++) {
        const { acked: before } = application
        await comesTrue(() => application.acked > before || application.child.exitCode !== null, 30_000)
        await pause(random.below(400))
        if (random.chance(0.5)) {
          const [node] = servers.nodes
          await node.kill()
          kills.server += 1
          if (random.chance(0.4)) await killApplication()
          await pause(random.below(1_500))
          await node.restart()
        } else await killApplication()
        if (/^failed/m.test(application.output)) row.failures.push(application.output.slice(-200))
      }
      const last = application.acked
      await comesTrue(() => application.acked > last, 30_000)
      application.child.kill('SIGTERM')
      if (!(await comesTrue(() => application.output.includes('drained'), drainMs)))
        row.failures.push(`the copy was not whole in ${drainMs / 1_000} s`)
      await application.kill()
      acked = Math.max(acked, application.acked)
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

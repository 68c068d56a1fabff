/** NATS servers of one job: one node, or a cluster, on loopback, gone with the process that started them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts, KeptProcess } from '../kept-process.js'
import { serverBinary, withoutServer } from './binary.js'

export interface ClusterOptions {
  readonly directory: string
  readonly nodes: number
  /** Every message is flushed before it is answered; else a server flushes every two minutes. */
  readonly isFlushed: boolean
}

const healthyMs = 60_000

interface Node {
  readonly process: KeptProcess
  readonly url: string
  readonly monitor: string
  readonly log: string
}

export class Cluster {
  readonly #nodes: readonly Node[]

  private constructor(nodes: readonly Node[]) {
    this.#nodes = nodes
  }

  static async start({ directory, nodes, isFlushed }: ClusterOptions): Promise<Cluster> {
    if (serverBinary === undefined) throw new Error(withoutServer)
    const free = await freePorts(3 * nodes)
    const routes = Array.from({ length: nodes }, (_, index) => `nats://127.0.0.1:${free[3 * index + 2]!}`)
    const started = Array.from({ length: nodes }, (_, index) => {
      const [client, monitor, route] = free.slice(3 * index)
      const folder = join(directory, `n${index}`)
      mkdirSync(folder)
      const lines = [
        `server_name: n${index}`,
        `listen: 127.0.0.1:${client}`,
        `http: 127.0.0.1:${monitor}`,
        `jetstream { store_dir: "${folder}", sync_interval: ${isFlushed ? 'always' : '"2m"'} }`,
        ...(nodes === 1 ? [] : [`cluster { name: c, listen: 127.0.0.1:${route}, routes: [${routes.join(', ')}] }`]),
      ]
      writeFileSync(join(folder, 'nats.conf'), lines.join('\n'))
      return startNode(folder, `nats://127.0.0.1:${client}`, `http://127.0.0.1:${monitor}`)
    })
    const cluster = new Cluster(await Promise.all(started))
    await cluster.#untilHealthy()
    return cluster
  }

  get urls(): string[] {
    return this.#nodes.map(({ url }) => url)
  }

  /** Processor time of all servers since they were started. */
  cpuMs(): number {
    return this.#nodes.reduce((sum, { process }) => sum + process.cpuMs(), 0)
  }

  /** At once: nobody needs their data any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ process }) => process.stop()))
  }

  async #untilHealthy(): Promise<void> {
    for (const { monitor, log } of this.#nodes) {
      for (const startMs = performance.now(); ; await sleep(20)) {
        if ((await fetch(`${monitor}/healthz`).catch(() => undefined))?.ok) break
        if (performance.now() - startMs > healthyMs)
          throw new Error(`a server is not healthy: ${readFileSync(log, 'utf8').slice(-1000)}`)
      }
    }
  }
}

async function startNode(folder: string, url: string, monitor: string): Promise<Node> {
  const log = join(folder, 'log')
  const args = ['-c', join(folder, 'nats.conf')]
  return { process: await KeptProcess.start({ command: serverBinary!, args, log }), url, monitor, log }
}

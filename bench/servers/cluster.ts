/** NATS servers of one job: one node, or a cluster, on loopback, gone with the process that started them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { serverBinary, withoutServer } from './binary.js'

export interface ClusterOptions {
  readonly directory: string
  readonly nodes: number
  /** Every message is flushed before it is answered; else a server flushes every two minutes. */
  readonly isFlushed: boolean
}

/** Below the ports that the system hands out by itself. */
const ports = { first: 12_000, end: 32_000 }
const healthyMs = 60_000
/** Of the times in /proc: what the kernel tells programs, whatever it counts with. */
const msPerTick = 10

/** Starts the server, says its process id, and ends it when nobody holds the other end of standard input any more. */
const keeper = '"$0" -c "$1" </dev/null >"$2" 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null'

interface Node {
  readonly shell: ChildProcess
  readonly pid: number
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
    return this.#nodes.reduce((sum, { pid }) => {
      // Behind the name of the program, which may have spaces in it: utime and stime.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return sum + (Number(fields[11]) + Number(fields[12])) * msPerTick
    }, 0)
  }

  /** At once: nobody needs their data any more. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#nodes.map(({ shell }) => {
        const ended = new Promise((resolve) => shell.once('exit', resolve))
        shell.stdin!.end('\n')
        return ended
      }),
    )
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
  const args = ['-c', keeper, serverBinary!, join(folder, 'nats.conf'), log]
  const shell = spawn('sh', args, { stdio: ['pipe', 'pipe', 'ignore'] })
  const pid = await new Promise<number>((resolve, reject) => {
    shell.stdout.once('data', (data) => resolve(Number(String(data))))
    shell.once('error', reject)
  })
  return { shell, pid, url, monitor, log }
}

async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = ports.first + Math.floor(Math.random() * (ports.end - ports.first))
    if (await isFree(port)) found.add(port)
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/**
 * Servers on loopback, for tests: one node or a cluster, to be killed, stopped and started again. Each is the child of a shell that ends it
 * when this process is gone, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { serverBinary, withoutServer } from '../../../bench/servers/binary.js'
import type { Network } from './network.js'

export interface ServerOptions {
  readonly nodes?: number
  /** `always`, or a duration. */
  readonly sync?: string
  /** More lines of the configuration. */
  readonly extra?: string
  /** Where the nodes are; all of them on loopback unless said. */
  readonly network?: Network
}

/** Where a node is. */
interface Place {
  readonly address: string
  readonly client: number
  readonly monitor: number
  readonly route: number
  /** What a command is put behind that is to run there. */
  readonly within: readonly string[]
}

/** Below the ports that the system hands out by itself. */
const ports = { first: 12_000, end: 32_000 }
const maxPayload = 8 << 20

/** Starts the server, says its process id, and ends it when nobody holds the other end of standard input any more. */
const keeper = '"$0" -c "$1" </dev/null >>"$2" 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null'

export class Servers {
  readonly nodes: Node[]
  readonly #folder: string

  private constructor(folder: string, nodes: Node[]) {
    this.#folder = folder
    this.nodes = nodes
  }

  static async start(options: ServerOptions = {}): Promise<Servers> {
    if (serverBinary === undefined) throw new Error(withoutServer)
    const count = options.nodes ?? 1
    const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    const folder = mkdtempSync(path.join(parent, 'bookend-nats-'))
    // Servers that are children of a dead process are ended by their shells; their files are not.
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const places = await Promise.all(Array.from({ length: count }, (_, index) => placeOf(index, options.network)))
    const routes = places.map(({ address, route }) => `nats://${address}:${route}`)
    const nodes = places.map(
      (place, index) => new Node(path.join(folder, `n${index}`), `n${index}`, place, routes, options),
    )
    const servers = new Servers(folder, nodes)
    for (const node of nodes) await node.start()
    for (const node of nodes) await node.untilHealthy()
    return servers
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url)
  }

  get monitors(): string[] {
    return this.nodes.map(({ monitor }) => monitor)
  }

  node(name: string | undefined): Node | undefined {
    return this.nodes.find((node) => node.name === name)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export class Node {
  readonly name: string
  readonly url: string
  readonly monitor: string
  readonly #configuration: string
  readonly #log: string
  readonly #within: readonly string[]
  #shell: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()
  #pid = 0

  constructor(folder: string, name: string, place: Place, routes: string[], options: ServerOptions) {
    const { address, client, monitor, route, within } = place
    mkdirSync(folder, { recursive: true })
    this.name = name
    this.url = `nats://${address}:${client}`
    this.monitor = `http://${address}:${monitor}`
    this.#within = within
    this.#configuration = path.join(folder, 'nats.conf')
    this.#log = path.join(folder, 'log')
    const sync = options.sync ?? '2m'
    const lines = [
      `server_name: ${name}`,
      `listen: ${address}:${client}`,
      `http: ${address}:${monitor}`,
      `max_payload: ${maxPayload}`,
      'jetstream {',
      `  store_dir: "${folder}/data"`,
      `  sync_interval: ${sync === 'always' ? sync : `"${sync}"`}`,
      '  max_mem: 256MB, max_file: 8GB',
      '  limits { batch { max_inflight_per_stream: 256, max_msgs: 20000 } }',
      '}',
      ...(routes.length > 1
        ? [`cluster { name: c, listen: ${address}:${route}, routes: [${routes.join(', ')}] }`]
        : []),
      options.extra ?? '',
    ]
    writeFileSync(this.#configuration, lines.join('\n'))
  }

  get pid(): number {
    return this.#pid
  }

  async start(): Promise<void> {
    openSync(this.#log, 'a')
    const shellArgs = ['sh', '-c', keeper, serverBinary as string, this.#configuration, this.#log]
    const [command, ...args] = [...this.#within, ...shellArgs]
    const shell = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    shell.stdin.on('error', () => {})
    this.#shell = shell
    this.#exited = new Promise((resolve) => shell.once('exit', resolve))
    const [said] = (await new Promise((resolve, reject) => {
      shell.stdout.once('data', (data) => resolve([data]))
      shell.once('error', reject)
    })) as [Buffer]
    this.#pid = Number(String(said))
    // A pipe that is still open keeps no test running.
    shell.unref()
    for (const end of [shell.stdin, shell.stdout]) (end as unknown as { unref(): void }).unref()
  }

  /** Ready to serve: streams have their leaders. */
  async untilHealthy(): Promise<void> {
    for (let attempt = 0; attempt < 1_200; attempt++) {
      const answer = await fetch(`${this.monitor}/healthz`).catch(() => undefined)
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`the server ${this.name} is not healthy: ${readFileSync(this.#log, 'utf8').slice(-2_000)}`)
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.#pid, signal)
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const shell = this.#shell
    if (shell === undefined) return
    this.#shell = undefined
    shell.ref()
    try {
      this.signal('SIGKILL')
    } catch {
      // It has ended already.
    }
    shell.stdin?.end()
    await this.#exited
  }

  async restart(): Promise<void> {
    await this.start()
    await this.untilHealthy()
  }
}

async function placeOf(index: number, network: Network | undefined): Promise<Place> {
  const [client, monitor, route] = await freePorts(3)
  const address = network?.address(index) ?? '127.0.0.1'
  return { address, client, monitor, route, within: network?.within(index) ?? [] }
}

const taken = new Set<number>()

async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    const port = ports.first + Math.floor(Math.random() * (ports.end - ports.first))
    if (taken.has(port) || !(await isFree(port))) continue
    taken.add(port)
    found.push(port)
  }
  return found
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/**
 * A network for the nodes of a cluster: each has a namespace of its own, and a bridge joins them and this process, so that the way between any
 * two can be cut. Linux, root, and the command `ip`.
 *
 * A way is cut by a wrong hardware address at both ends. What is sent goes to nobody, as over a cable that was pulled: nobody is told, and
 * connections that are there find out by their timeouts.
 */
import { execFileSync } from 'node:child_process'

/** Set aside for measurements (RFC 2544): nobody's addresses. */
const network = '198.18'
const ours = 254
const nowhere = '02:00:00:00:00:00'
const namePattern = /^bookend-(\d+)-\d+$/

export class Network {
  readonly #bridge: string
  readonly #prefix: string
  readonly #spaces: readonly string[]
  readonly #cuts: (() => void)[] = []

  private constructor(nodes: number) {
    this.#bridge = `bookend${process.pid}`
    this.#prefix = `${network}.${freeNetwork()}`
    this.#spaces = Array.from({ length: nodes }, (_, index) => `bookend-${process.pid}-${index}`)
    ip(`link add ${this.#bridge} type bridge`)
    ip(`addr add ${this.#prefix}.${ours}/24 dev ${this.#bridge}`)
    ip(`link set ${this.#bridge} up`)
    for (const [index, space] of this.#spaces.entries()) {
      const port = `bk${process.pid}n${index}`
      ip(`netns add ${space}`)
      ip(`link add ${port} type veth peer name eth0 netns ${space}`)
      ip(`link set ${port} master ${this.#bridge} up`)
      ip(`-n ${space} addr add ${this.address(index)}/24 dev eth0`)
      ip(`-n ${space} link set eth0 up`)
      ip(`-n ${space} link set lo up`)
    }
  }

  /** Undefined: networks can be made here. */
  static whyNot(): string | undefined {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'networks need Linux and root'
    try {
      removeDead()
      const network = new Network(1)
      network.remove()
      return undefined
    } catch (error) {
      return `networks cannot be made here: ${(error as Error).message.trim()}`
    }
  }

  /** @param nodes at most 250 */
  static create(nodes: number): Network {
    const network = new Network(nodes)
    process.once('exit', () => network.remove())
    return network
  }

  address(node: number): string {
    return `${this.#prefix}.${node + 1}`
  }

  /** What a command is put behind that is to run where the node is. */
  within(node: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#spaces[node]]
  }

  /** Until {@link heal}, nothing comes from one of these nodes to the other. */
  cut(one: number, other: number): void {
    this.#block(this.#spaces[one], this.address(other))
    this.#block(this.#spaces[other], this.address(one))
  }

  /** The same between a node and this process. */
  cutFromHere(node: number): void {
    this.#block(this.#spaces[node], `${this.#prefix}.${ours}`)
  }

  heal(): void {
    for (const restore of this.#cuts.splice(0)) restore()
  }

  remove(): void {
    for (const space of this.#spaces) quietly(`netns del ${space}`)
    quietly(`link del ${this.#bridge}`)
  }

  #block(space: string, address: string): void {
    ip(`-n ${space} neigh replace ${address} lladdr ${nowhere} nud permanent dev eth0`)
    this.#cuts.push(() => quietly(`-n ${space} neigh del ${address} dev eth0`))
  }
}

function ip(command: string): string {
  return execFileSync('ip', command.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function quietly(command: string): void {
  try {
    ip(command)
  } catch {
    // It is not there any more.
  }
}

/** Of the third octet: what no address of this machine has. */
function freeNetwork(): number {
  const taken = ip('-4 addr')
  const free = Array.from({ length: 256 }, (_, index) => (process.pid + index) % 256)
  const found = free.find((octet) => !taken.includes(`${network}.${octet}.`))
  if (found === undefined) throw new Error(`no free network in ${network}.0.0/16`)
  return found
}

/** What processes have left behind that were killed. */
function removeDead(): void {
  for (const line of ip('netns list').split('\n')) {
    const [name] = line.split(' ')
    const pid = namePattern.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    quietly(`netns del ${name}`)
    quietly(`link del bookend${pid}`)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

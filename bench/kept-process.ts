/** Servers of one job: processes that are gone with the one that started them, however that ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Below the ports that the system hands out by itself. */
const ports = { first: 12_000, end: 32_000 }
/** Of the times in /proc: what the kernel tells programs, whatever it counts with. */
const msPerTick = 10

/** Starts the server, says its process id, and ends it when nobody holds the other end of standard input any more. */
const keeper = 'log=$1; shift; "$@" </dev/null >"$log" 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null'

export interface KeptOptions {
  readonly command: string
  readonly args: readonly string[]
  /** What it says. */
  readonly log: string
  /** Another user that it runs as; root alone can say so. */
  readonly uid?: number
}

export class KeptProcess {
  readonly #shell: ChildProcess
  readonly #pid: number

  private constructor(shell: ChildProcess, pid: number) {
    this.#shell = shell
    this.#pid = pid
  }

  static async start({ command, args, log, uid }: KeptOptions): Promise<KeptProcess> {
    const shell = spawn('sh', ['-c', keeper, 'keeper', log, command, ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
      ...(uid === undefined ? {} : { uid }),
    })
    const pid = await new Promise<number>((resolve, reject) => {
      shell.stdout.once('data', (data) => resolve(Number(String(data))))
      shell.once('error', reject)
    })
    return new KeptProcess(shell, pid)
  }

  /** Processor time since it was started, that of its children included. */
  cpuMs(): number {
    const children = readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && statOf(name)?.[1] === String(this.#pid),
    )
    return [String(this.#pid), ...children].reduce((sum, pid) => sum + ticksOf(statOf(pid)) * msPerTick, 0)
  }

  /** At once: nobody needs its data any more. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#shell.once('exit', resolve))
    this.#shell.stdin!.end('\n')
    await ended
  }
}

/** The fields behind the name of the program, which may have spaces in it. Undefined: it has ended. */
function statOf(pid: string): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  } catch {
    return undefined
  }
}

/** Its own, and those of children that have ended: utime, stime, cutime, cstime. */
function ticksOf(fields: readonly string[] | undefined): number {
  return (fields ?? []).slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
}

export async function freePorts(count: number): Promise<number[]> {
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

/** pg-boss on a PostgreSQL server of this machine, which the job starts and ends. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from '../job.js'
import { freePorts, KeptProcess } from '../kept-process.js'
import { requirePackage } from '../peer-packages.js'
import { postgresFolder } from './binaries.js'
import { inParts, type JobQueue } from './job-queue.js'

/** The little of it that is used here; its own types are not installed beside the root's. */
type PgBoss = new (options: object) => Boss
interface Boss {
  on(event: 'error', listener: (error: Error) => void): void
  start(): Promise<unknown>
  createQueue(name: string): Promise<unknown>
  send(name: string, data: object, options: object): Promise<unknown>
  insert(jobs: readonly object[]): Promise<unknown>
  fetch(name: string, options: object): Promise<readonly { id: string; data: { value: string } }[]>
  complete(name: string, ids: readonly string[]): Promise<unknown>
  stop(options: object): Promise<void>
}

const name = 'jobs'
const jobsPerCall = 1000
/** At a time; a worker that finds none asks again so much later. */
const fetchedTogether = 100
const askAgainMs = 10
/** Of its pool. */
const connections = 20
const startMs = 30_000
/** The server runs as nobody: it refuses root. */
const nobody = 65_534
const user = 'bench'

export async function openPgBoss({ directory, packageDirectory }: Job): Promise<JobQueue> {
  const { server, port } = await startPostgres(directory)
  const { default: Boss = requirePackage<PgBoss>(packageDirectory, 'pg-boss') } = requirePackage<{ default?: PgBoss }>(
    packageDirectory,
    'pg-boss',
  )
  const boss = new Boss({ host: '127.0.0.1', port, user, database: 'postgres', schedule: false, max: connections })
  boss.on('error', (error) => {
    throw error
  })
  await boss.start()
  await boss.createQueue(name)
  const insert = (value: string, messages: number, startAfter?: (index: number) => number) =>
    inParts(messages, jobsPerCall, (first, count) =>
      boss.insert(
        Array.from({ length: count }, (_, index) => ({
          ...{ name, data: { value } },
          ...(startAfter && { startAfter: new Date(startAfter(first + index)) }),
        })),
      ),
    )
  return {
    pushAll: (messages, value) => insert(value, messages),
    pushLater: (messages, value, dueAt) => insert(value, messages, dueAt),
    pushOne: (value, dueAt) => boss.send(name, { value }, { startAfter: new Date(dueAt) }),
    async work(concurrency, handle) {
      let isOver = false
      const worker = async () => {
        while (!isOver) {
          const jobs = await boss.fetch(name, { batchSize: fetchedTogether })
          for (const { data } of jobs) handle(data.value)
          if (jobs.length === 0) await sleep(askAgainMs)
          else
            await boss.complete(
              name,
              jobs.map(({ id }) => id),
            )
        }
      }
      const workers = Promise.all(Array.from({ length: concurrency }, worker))
      return {
        async stop() {
          isOver = true
          await workers
        },
      }
    },
    cpuMs: () => server.cpuMs(),
    async close() {
      await boss.stop({ graceful: false })
      await server.stop()
    },
  }
}

async function startPostgres(directory: string): Promise<{ server: KeptProcess; port: number }> {
  const [port] = await freePorts(1)
  const data = join(directory, 'data')
  const log = join(directory, 'postgres.log')
  mkdirSync(data, { mode: 0o700 })
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    for (const folder of [directory, data]) chownSync(folder, nobody, nobody)
    // The way to it is this run's own folder.
    chmodSync(dirname(directory), 0o711)
  }
  const as = isRoot ? { uid: nobody } : {}
  const made = spawnSync(join(postgresFolder!, 'initdb'), ['-D', data, '-U', user, '-A', 'trust', '-N'], {
    ...{ ...as, encoding: 'utf8', cwd: directory },
  })
  if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr.slice(-500)}`)
  const settings = {
    ...{ port, listen_addresses: '127.0.0.1', unix_socket_directories: '' },
    ...{ synchronous_commit: 'off', shared_buffers: '256MB', max_wal_size: '4GB' },
  }
  const args = ['-D', data, ...Object.entries(settings).flatMap(([option, value]) => ['-c', `${option}=${value}`])]
  const server = await KeptProcess.start({ command: join(postgresFolder!, 'postgres'), args, log, ...as })
  // It is there once somebody has begun to write.
  const said = () => (existsSync(log) ? readFileSync(log, 'utf8') : '')
  for (const start = performance.now(); !said().includes('ready to accept'); await sleep(20))
    if (performance.now() - start > startMs) throw new Error(`postgres: ${said().slice(-500)}`)
  return { server, port: port! }
}

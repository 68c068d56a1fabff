/** BullMQ on a Redis server of this machine, which the job starts and ends. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from '../job.js'
import { freePorts, KeptProcess } from '../kept-process.js'
import { requirePackage } from '../peer-packages.js'
import { redisBinary } from './binaries.js'
import { inParts, type JobQueue } from './job-queue.js'

/** The little of it that is used here; its own types are not installed beside the root's. */
interface BullMq {
  Queue: new (name: string, options: object) => Queue
  Worker: new (name: string, handler: (job: { data: { value: string } }) => Promise<void>, options: object) => Worker
}
interface Queue {
  add(name: string, data: object, options?: object): Promise<unknown>
  addBulk(jobs: readonly object[]): Promise<unknown>
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
}
interface Worker {
  waitUntilReady(): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): void
  close(): Promise<void>
}

const jobsPerCall = 1000
const startMs = 30_000
const name = 'jobs'

export async function openBullMq({ directory, packageDirectory }: Job): Promise<JobQueue> {
  const [port] = await freePorts(1)
  const settings = {
    ...{ port, bind: '127.0.0.1', dir: directory, save: '', appendonly: 'yes', appendfsync: 'everysec' },
    'maxmemory-policy': 'noeviction',
  }
  const args = Object.entries(settings).flatMap(([option, value]) => [`--${option}`, String(value)])
  const server = await KeptProcess.start({ command: redisBinary!, args, log: join(directory, 'redis.log') })
  const { Queue, Worker } = requirePackage<BullMq>(packageDirectory, 'bullmq')
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } })
  await Promise.race([
    queue.waitUntilReady(),
    sleep(startMs).then(() => {
      throw new Error(`redis-server does not answer: ${join(directory, 'redis.log')}`)
    }),
  ])
  const delayOf = (dueAt: number) => ({ delay: Math.max(0, dueAt - Date.now()) })
  return {
    pushAll: (messages, value) =>
      inParts(messages, jobsPerCall, (_, count) =>
        queue.addBulk(Array.from({ length: count }, () => ({ name, data: { value } }))),
      ),
    pushLater: (messages, value, dueAt) =>
      inParts(messages, jobsPerCall, (first, count) =>
        queue.addBulk(
          Array.from({ length: count }, (_, index) => ({ name, data: { value }, opts: delayOf(dueAt(first + index)) })),
        ),
      ),
    pushOne: (value, dueAt) => queue.add(name, { value }, delayOf(dueAt)),
    async work(concurrency, handle) {
      const worker = new Worker(name, async ({ data }) => handle(data.value), { connection, concurrency })
      worker.on('error', (error) => {
        throw error
      })
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
    cpuMs: () => server.cpuMs(),
    async close() {
      await queue.close()
      await server.stop()
    },
  }
}

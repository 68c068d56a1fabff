// Queues with random workers, until it is killed, or, in its last life, until all jobs are done. node jobs.mjs FOLDER LINES PLAN LIFE
import { appendFileSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { json, open } from '../../../dist/src/index.js'
import { act } from './jobs-handler.mjs'

const [folder, file, planFile, life] = process.argv.slice(2)
const { queues, lives } = JSON.parse(readFileSync(planFile, 'utf8'))
const isLast = Number(life) >= lives
const say = (line) => appendFileSync(file, `${line} ${Date.now()}\n`)
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
/** Of former lives: queue, number, and with a third word the attempt. */
const saidBefore = (word, words) =>
  new Set(
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${word} `))
      .map((line) =>
        line
          .split(' ')
          .slice(1, words + 1)
          .join(' '),
      ),
  )
// A job that ends the process does so once.
const begun = saidBefore('begins', 3)
const pushed = saidBefore('pushed', 2)

const log = await open(folder, { segmentBytes: 1 << 20, readers: 1 })
const all = await Promise.all(queues.map(start))
say(`lives ${life}`)
await Promise.all(
  all.map(async ({ pauseMs, disturb }) => {
    // In its last life it is to come to an end.
    for (let step = 0; step < (isLast ? 8 : Number.POSITIVE_INFINITY); step++) {
      await wait(pauseMs)
      await disturb(step)
    }
  }),
)
await Promise.all(all.map(({ finish }) => finish()))
await log.close()

async function start({ name, kind, options, jobs, pauseMs }) {
  const queue = log.queue(name, { codec: json })
  const told = { file, queue: name }
  let worker
  const begin = async () => {
    if (kind === 'thread') {
      const port = await log.port()
      const workerData = { port, name, say: told, options }
      worker = new Worker(new URL('./jobs-thread.mjs', import.meta.url), { workerData, transferList: [...port.ports] })
    } else if (kind === 'module')
      worker = queue.work(new URL('./jobs-handler.mjs', import.meta.url), { ...options, data: told })
    else
      worker = queue.work(({ value }, context) => {
        const key = `${name} ${value.number} ${context.attempt}`
        return act(value, context, told, !begun.has(key) && begun.add(key) !== undefined)
      }, options)
  }
  await begin()
  const push = async () => {
    for (const { delayMs, ...value } of jobs.slice(0, Number(life) + 1).flat()) {
      if (pushed.has(`${name} ${value.number}`)) continue
      await queue.push(value, { id: String(value.number), ...(delayMs > 0 && { delayMs }) })
      say(`pushed ${name} ${value.number}`)
    }
  }
  const pushing = push()
  return {
    pauseMs,
    async disturb(step) {
      if (kind === 'thread') {
        // Starting one costs much.
        if (step % 3 > 0) return
        say(`disturbs ${name}`)
        await worker.terminate()
        await begin()
        return
      }
      say(`disturbs ${name}`)
      if (step % 3 === 0) {
        await worker.stop()
        await begin()
      } else {
        await worker.pause()
        worker.resume()
      }
    },
    async finish() {
      await pushing
      while ((await queue.size()) > 0 || (await log.scheduled({ topic: name })).length > 0) await wait(5)
      // What another life has pushed may have come to its end between the two looks.
      if (kind === 'thread') await worker.terminate()
      else await worker.stop()
    },
  }
}

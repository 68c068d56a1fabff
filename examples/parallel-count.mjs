/**
 * Counts messages by a field, in all reader threads at once: the messages never pass through this thread.
 *
 *   node examples/parallel-count.mjs [directory]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { json, open } from 'bookend'

const requestCount = 50_000
const statuses = [200, 200, 200, 304, 404]

const given = process.argv[2]
const directory = given ?? (await mkdtemp(path.join(os.tmpdir(), 'requests-')))
const log = await open(directory, { segmentBytes: 2 ** 20 })
const requests = log.topic('requests', { codec: json })

for (let number = 0; number < requestCount; number++) {
  const request = { path: `/page/${number % 1000}`, status: statuses[number % statuses.length] }
  while (!requests.offer(request)) await requests.ready()
}
await log.flush()

// The module runs inside the reader threads, over disjoint ranges; its results are reduced in order.
const counts = await requests.scan(new URL('./count-by-status.mjs', import.meta.url))
for (const [status, count] of [...counts].sort()) console.log(`${status}: ${count}`)

await log.close()
if (given === undefined) await rm(directory, { recursive: true })

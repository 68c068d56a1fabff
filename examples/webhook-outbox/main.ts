/**
 * A webhook outbox. Events are stored on the device first; a processor delivers them, in order for each customer, customers in
 * parallel, with retries. What an endpoint never takes ends in a dead-letter topic with the reason.
 *
 *   node dist/examples/webhook-outbox/main.js [DIRECTORY]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { json, open } from 'bookend'
import type { WebhookEvent } from './event.js'
import { startReceiver } from './receiver.js'

const eventCount = 60
const customers = ['ada', 'grace', 'edsger', 'barbara']

const given = process.argv[2]
const directory = given ?? (await mkdtemp(path.join(tmpdir(), 'webhook-outbox-')))
const receiver = await startReceiver()
const log = await open(directory)
const outbox = log.topic('outbox', { codec: json })

// The business side: once the promise resolves, no crash and no power cut takes the event away.
const events = Array.from({ length: eventCount }, (_, order) => ({
  order,
  customer: customers[order % customers.length]!,
}))
await Promise.all(
  events.map(({ order, customer }) =>
    outbox.append({ url: receiver.url, customer, body: { order } } satisfies WebhookEvent, {
      key: customer,
      durability: 'disk',
    }),
  ),
)
console.log(`stored ${eventCount} events`)

// The delivering side. A restart goes on behind what was delivered and committed.
const deliveries = outbox.group('webhooks').process(new URL('./deliver.js', import.meta.url), {
  order: 'key',
  concurrency: 2,
  batchSize: 8,
  retries: 3,
  backoffMs: 20,
  timeoutMs: 10_000,
  deadLetter: 'undeliverable',
})
await deliveries.idle()
await deliveries.stop()

const { accepted, busy, refused } = receiver.counts
console.log(`delivered ${accepted} events; the endpoint was busy ${busy} times and refused ${refused} calls`)
for await (const { headers } of log.topic('undeliverable').read())
  console.log(`undeliverable: event ${headers?.['bookend-offset']}, ${headers?.['bookend-error']}`)

await log.close()
await receiver.close()
if (given === undefined) await rm(directory, { recursive: true })

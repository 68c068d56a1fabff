// One program on two engines: `node examples/both-engines.mjs` in a directory, `node examples/both-engines.mjs nats://host:4222`
// on NATS servers with JetStream (one replica, for development). Between opening and closing nothing is different.
import { json, open } from 'bookend'

const [servers] = process.argv.slice(2)
const log =
  servers === undefined
    ? await open('./event-log')
    : await (await import('bookend/jetstream')).open(servers, { name: 'example', replicas: 1 })

const events = log.topic('events', { codec: json })
// The strongest level that is kept here: a power cut for a directory.
const durability = log.supports.durabilities.at(-1)

for (let number = 0; number < 10_000; number++) {
  const event = { number, kind: number % 4 === 0 ? 'click' : 'view' }
  while (!events.offer(event)) await events.ready()
}
await log.flush(durability)

const offset = await events.append({ kind: 'order' }, { durability })
console.log(`the order has offset ${offset}`)

let clicks = 0
for await (const { value } of events.read({ to: offset })) if (value.kind === 'click') clicks += 1
console.log(`${clicks} clicks, then: ${(await events.get(offset)).value.kind}`)

for await (const delivery of events.group('billing').consume()) {
  await delivery.ack()
  if (delivery.offset === offset) break
}
console.log(`left for billing: ${(await events.group('billing').position()).lag}`)

await log.close()

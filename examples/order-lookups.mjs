// Looks orders up by their number, in a log of everything that ever happened to any of them.
// node examples/order-lookups.mjs [folder] [orders] [number]
import { json, open } from 'bookend'

const [folder = 'order-lookups', count = '2000', asked = '17'] = process.argv.slice(2)
const log = await open(folder)
// What is said here decides how fast they are found, and never what is found.
const events = log.topic('order-events', { codec: json, index: { keys: true, headers: ['state'] } })

const { next } = await events.bounds()
if (next === 0) {
  for (const state of ['placed', 'paid', 'sent']) {
    for (let number = 0; number < Number(count); number++) {
      // One in a hundred is never paid.
      if (state !== 'placed' && number % 100 === 99) continue
      const event = [
        { number, state },
        { key: `order-${number}`, headers: { state } },
      ]
      while (!events.offer(...event)) await events.ready()
    }
  }
  await log.flush()
}

// Where does this order stand? The newest message with its key.
const last = await events.last(`order-${asked}`)
console.log(`order ${asked}: ${last?.value.state ?? 'unknown'}`)

// How did it get there? All of them, the oldest first.
const history = []
for await (const { value } of events.byKey(`order-${asked}`, { reverse: false })) history.push(value.state)
console.log(`history: ${history.join(', ')}`)

// How many were ever sent? Only what has the header is read.
console.log(`sent: ${await events.count({ where: { state: 'sent' } })} of ${count}`)
await log.close()

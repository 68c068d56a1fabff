// Schedules messages and cancels some, until it is killed; a line for each that is done. node schedules.mjs FOLDER OUTPUT SEED
import { appendFileSync } from 'node:fs'
import { open, text } from '../../../dist/src/index.js'

const [folder, output, seed] = process.argv.slice(2)
let state = Number(seed)
const below = (bound) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  return (state >>> 8) % bound
}
const say = (lines) => appendFileSync(output, lines.map((line) => `${line.join(' ')}\n`).join(''))
const log = await open(folder, { segmentBytes: 1 << 20, readers: 1 })
const topic = log.topic('t', { codec: text })
let waiting = []
let number = 0

async function schedule() {
  const name = `${process.pid}-${number++}`
  const delayMs = below(4) === 0 ? 0 : below(200)
  const ticket = await topic.schedule(name, { delayMs })
  waiting.push({ name, ticket })
  // One with a delay has its place in the order, whatever is delivered meanwhile.
  return ['scheduled', name, ...(delayMs > 0 ? [ticket.deliverAt, ticket.id] : [])]
}

/** Any of them, or those that are about to be delivered, or were a moment ago. */
function chosen() {
  const now = Date.now()
  const near = waiting.filter(({ ticket }) => Math.abs(ticket.deliverAt - now) < 4)
  const from = below(2) === 0 && near.length > 0 ? near : waiting
  return new Set(Array.from({ length: below(8) }, () => from[below(from.length)]))
}

for (;;) {
  say(await Promise.all(Array.from({ length: 1 + below(40) }, schedule)))
  const some = [...chosen()]
  waiting = waiting.filter((each) => !some.includes(each)).slice(-200)
  say(some.map(({ name }) => ['cancels', name]))
  say(
    await Promise.all(
      some.map(async ({ name, ticket }) => [(await topic.cancel(ticket)) ? 'cancelled' : 'refused', name]),
    ),
  )
  if (below(20) === 0) await new Promise((resolve) => setTimeout(resolve, below(30)))
}

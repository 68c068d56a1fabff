// Schedules messages and cancels some, until it is killed; a line for each that is done. node schedules.mjs FOLDER OUTPUT SEED
import { appendFileSync } from 'node:fs'
import { open, text } from '../../../dist/src/index.js'

const [folder, output, seed] = process.argv.slice(2)
let state = Number(seed)
const below = (bound) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  return (state >>> 8) % bound
}
const say = (word, number) => appendFileSync(output, `${word} ${number}\n`)
const log = await open(folder, { segmentBytes: 1 << 20, readers: 1 })
const topic = log.topic('t', { codec: text })
const tickets = []
for (let number = 0; ; number++) {
  const name = `${process.pid}-${number}`
  const ticket = await topic.schedule(name, { delayMs: below(4) === 0 ? 0 : below(200) })
  say('scheduled', name)
  tickets.push([name, ticket])
  if (below(4) === 0) {
    const [cancelled, old] = tickets.splice(below(tickets.length), 1)[0]
    say('cancels', cancelled)
    say((await topic.cancel(old)) ? 'cancelled' : 'refused', cancelled)
  }
  if (tickets.length > 50) tickets.shift()
  if (below(20) === 0) await new Promise((resolve) => setTimeout(resolve, below(30)))
}

// Works on a log with all its threads until it is killed, has appended enough, or is refused. node writer.mjs [options] LOG
//
//   The message at offset n of "numbers" has the bytes payload(n), and so have those of the other topics, n counted in each.
//   Lines on standard output, a plain file, by blocking writes:
//     A<n> <ns>    everything up to n of "numbers" is acknowledged at the level
//     T<n>         "numbers" is about to be trimmed to n
//     F<code> <ns> an append failed with this code;  R <ns>  the first one after that succeeded again
//     g<n>         a consumer of "numbers" is about to acknowledge everything below n;  G<n>  that is acknowledged
//     D            the log is closed, and all that was asked for is in it
//   Ends with status 0 after D, 3 after an error that is not waited out, 1 where something is not as it must be.
import { writeSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { isPayload, packable, payload } from '../../fixtures/payload.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    level: { type: 'string', default: 'process' },
    io: { type: 'string', default: 'auto' },
    records: { type: 'string', default: 'Infinity' },
    // Another message is this much work: more of them fill segments sooner.
    bytes: { type: 'string', default: '0' },
    // MiB of a segment.
    segment: { type: 'string', default: '1' },
    topics: { type: 'string', default: '40' },
    // Beside them messages of so many bytes that can be packed, in "text": the log is packed, to its end.
    text: { type: 'string', default: '0' },
    'trim-behind': { type: 'string', default: '1500' },
    'wait-out': { type: 'boolean', default: false },
    delays: { type: 'boolean', default: false },
    consume: { type: 'boolean', default: false },
  },
})
const { open } = await import(process.env.BOOKEND ?? '../../../dist/src/index.js')
const directory = positionals.at(-1)
const say = (line) => writeSync(1, `${line}\n`)
const now = () => process.hrtime.bigint()
function wrong(error) {
  writeSync(2, `${error.stack ?? error}\n`)
  process.exit(1)
}

const segmentBytes = Number(values.segment) << 20
const textBytes = Number(values.text)
const compress = textBytes > 0 ? { afterMs: 0, codec: 'deflate' } : undefined
const options = { segmentBytes, ringBytes: 64 << 10, readers: 1, flushIntervalMs: 20, mapTtlMs: 40 }
let log
for (;;) {
  try {
    log = await open(directory, { ...options, io: values.io, durability: values.level, compress })
    break
  } catch (error) {
    say(`F${error.code} ${now()}`)
    if (!values['wait-out']) process.exit(3)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const delays = values.delays ? monitorEventLoopDelay({ resolution: 5 }) : undefined
delays?.enable()
const topic = log.topic('numbers')
const extra = Number(values.bytes)
let { next } = await topic.bounds()
let acknowledged = next - 1
let failing = false

function acknowledge(number) {
  if (failing) say(`R${now()}`)
  failing = false
  // A higher one stands for all below, and may be heard of first when several settle in one turn.
  if (number <= acknowledged) return
  acknowledged = number
  say(`A${number} ${now()}`)
}

const others = Array.from({ length: Number(values.topics) }, (_, index) => ({
  topic: log.topic(`other-${index}`),
  next: -1,
}))
async function consume() {
  let batch = []
  for await (const message of topic.group('workers').consume({ prefetch: 64 })) {
    if (!isPayload(message.offset, message.value)) wrong(new Error(`message ${message.offset} came with other bytes`))
    batch.push(message)
    if (batch.length < 16) continue
    const done = batch.at(-1).offset + 1
    say(`g${done}`)
    await Promise.all(batch.map((each) => each.ack()))
    say(`G${done}`)
    batch = []
  }
}
if (values.consume) consume().catch(wrong)
const text = log.topic('text')
let texts = textBytes > 0 ? (await text.bounds()).next : 0
const end = Math.min(Number.POSITIVE_INFINITY, next + Number(values.records))
for (let round = 0; next < end; round++) {
  const waits = []
  const first = next
  const errors = []
  const sent = (promise, number, count) =>
    waits.push(
      promise.then(
        (at) => {
          if (at !== number) wrong(new Error(`message ${number} came to ${at}`))
          acknowledge(number + count - 1)
        },
        (error) => errors.push({ number, error }),
      ),
    )
  const steps = values['wait-out'] ? 1 : 8
  for (let step = 0; step < steps; step++) {
    const number = next
    if (step % 6 === 5) {
      // All or nothing, in batches of their own: the header says which belong together.
      const count = 2 + (round % 30)
      const headers = { group: `${number}+${count}` }
      const group = Array.from({ length: count }, (_, index) => payload(number + index))
      next += count
      sent(
        topic.appendMany(group, { headers }).then(({ first }) => first),
        number,
        count,
      )
    } else {
      next += 1
      sent(topic.append(payload(number), { key: String(number) }), number, 1)
    }
  }
  const other = others[round % Math.max(1, others.length)]
  if (other !== undefined && !values['wait-out']) {
    if (other.next < 0) other.next = (await other.topic.bounds()).next
    try {
      if (other.topic.offer(payload(other.next, extra || undefined))) other.next += 1
    } catch (error) {
      errors.push({ number: next, error })
    }
  }
  for (let count = textBytes > 0 ? steps : 0; count > 0 && text.offer(packable(texts, textBytes)); count--) texts += 1
  await Promise.all(waits)
  if (errors.length > 0) {
    const { error } = errors[0]
    const isPassing = values['wait-out'] && (error.code === 'BOOKEND_NO_SPACE' || error.code === 'BOOKEND_IO')
    if (!failing) say(`F${error.code} ${now()}`)
    if (!failing && values['wait-out']) writeSync(2, `${error.message}\n`)
    failing = true
    if (!isPassing || (error.code === 'BOOKEND_IO' && !/work again by themselves/.test(error.message))) {
      // What was acknowledged can be read, whatever happened to the device.
      const bounds = await topic.bounds()
      for (let offset = Math.max(bounds.first, acknowledged - 50); offset <= acknowledged; offset++) {
        const message = await topic
          .get(offset)
          .catch((failure) => (/EMFILE|ENOMEM/.test(failure.message) ? 'later' : wrong(failure)))
        if (message === 'later') break
        if (message === undefined || !isPayload(offset, message.value))
          wrong(new Error(`message ${offset} after ${error.code}`))
      }
      await log.close().catch(() => {})
      process.exit(3)
    }
    next = first
    await new Promise((resolve) => setTimeout(resolve, 5))
    continue
  }
  if (round % 40 === 39 && !values['wait-out']) {
    const at = Math.max(0, acknowledged - Number(values['trim-behind']))
    say(`T${at}`)
    try {
      await topic.trim(at)
      for (const each of others) if (each.next > 60) await each.topic.trim(each.next - 60)
      const message = await topic.get(acknowledged)
      if (!isPayload(acknowledged, message.value)) wrong(new Error(`message ${acknowledged} has other bytes`))
    } catch (error) {
      say(`F${error.code} ${now()}`)
      if (!error.code?.startsWith('BOOKEND_')) wrong(error)
      process.exit(3)
    }
  }
}
while (textBytes > 0 && (await log.segments()).some(({ state, packed }) => state === 'sealed' && packed === undefined))
  await new Promise((resolve) => setTimeout(resolve, 5))
try {
  await log.close()
} catch (error) {
  say(`F${error.code} ${now()}`)
  process.exit(3)
}
if (delays !== undefined) say(`L${(delays.max / 1e6).toFixed(1)}`)
say('D')

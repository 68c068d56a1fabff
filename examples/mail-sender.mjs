// Sends mails from a queue: retries that survive a restart, delays, a rule of cron, a box for what cannot be sent.
//   node examples/mail-sender.mjs DIRECTORY
import { json, open } from 'bookend'

const log = await open(process.argv[2] ?? './mails')
const mails = log.queue('mails', { codec: json })

// At each start: there is one under each id, whatever restarts. What was due while nobody was here comes once.
await mails.every('digest', { cron: '0 7 * * *', timeZone: 'Europe/Berlin' }, { to: 'all', what: 'digest' })

const refusals = new Map([['bob', 2]])

/** In the place of a mail server, which is busy now and then. */
async function send({ to, what }) {
  if (!/^\w+$/.test(to)) throw new Error(`no such address: ${to}`)
  const left = refusals.get(to) ?? 0
  refusals.set(to, left - 1)
  if (left > 0) throw new Error('the server is busy')
  return `${what} to ${to}`
}

const worker = mails.work(
  async ({ value }, { attempt }) =>
    console.log(`sent ${await send(value)}${attempt > 1 ? `, attempt ${attempt}` : ''}`),
  { concurrency: 10, retries: 3, backoffMs: 20, timeoutMs: 30_000, deadLetter: 'unsent' },
)

// Under one id a mail is queued once, however often the request for it comes.
for (let request = 0; request < 2; request++)
  await mails.push({ to: 'ada', what: 'welcome' }, { id: `welcome-ada-${process.pid}` })
await worker.idle()
await mails.push({ to: 'bob', what: 'invoice' })
await worker.idle()
await mails.push({ to: 'no one', what: 'invoice' })
await worker.idle()

// A reminder in a week, which is taken back, since he has paid.
const reminder = await mails.push({ to: 'bob', what: 'reminder' }, { delayMs: 7 * 86_400_000 })
console.log(`${(await log.scheduled({ topic: 'mails' })).length} wait, taken back: ${await mails.cancel(reminder)}`)

// Somebody looks into the box, and mends what can be mended.
const unsent = log.deadLetters('unsent')
for await (const { reason, attempts } of unsent.list()) console.log(`${reason}, after ${attempts} attempts`)
await unsent.discard()

await worker.stop()
await log.close()

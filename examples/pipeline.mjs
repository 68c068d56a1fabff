// Two steps of handlers, killed at random until everything is done: each order leaves one invoice and one letter, no more and no less.
// node examples/pipeline.mjs [folder] [orders] [kills]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { json, open } from 'bookend'

const [folder = 'pipeline-log', orders = '2000', kills = '5', role = 'watch'] = process.argv.slice(2)
const count = Number(orders)

async function work() {
  const log = await open(folder)
  const topic = (name) => log.topic(name, { codec: json })
  // Orders that are brought again are written once.
  const producer = log.producer('orders')
  for (let order = (await producer.last()) + 1; order < count; order++)
    void producer.append(topic('orders'), { order, amount: order % 90 }, order)
  await log.flush()
  // What a handler appends is written in one transaction with the acknowledgement of its message.
  const options = { order: 'none', concurrency: 50 }
  const bill = ({ value: { order, amount } }, { append }) => append('invoices', { order, total: amount * 1.2 })
  const write = ({ value: { order, total } }, { append }) => append('letters', { order, text: `you owe ${total}` })
  const invoicing = topic('orders').group('invoicing').process(bill, options)
  const mailing = topic('invoices').group('mailing').process(write, options)
  process.send?.('at work')
  await invoicing.idle()
  await mailing.idle()
  await log.close()
}

async function watch() {
  for (let killed = 0; ; ) {
    const worker = fork(new URL(import.meta.url), [folder, orders, kills, 'work'])
    const ended = once(worker, 'exit')
    await Promise.race([once(worker, 'message'), ended])
    if (killed < Number(kills)) {
      await wait(Math.random() * 60)
      killed += worker.kill('SIGKILL') ? 1 : 0
    }
    if ((await ended)[0] === 0) break
  }
  const log = await open(folder, { readOnly: true })
  for (const name of ['invoices', 'letters']) {
    const all = []
    for await (const { value } of log.topic(name, { codec: json }).read()) all.push(value.order)
    console.log(`${name}: ${all.length} messages, of ${new Set(all).size} orders`)
  }
  await log.close()
}

await (role === 'work' ? work() : watch())

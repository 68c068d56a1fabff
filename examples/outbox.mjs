/**
 * An outbox: what has to be sent is stored first, on the device, and sent by a follower that survives a restart.
 * Run it twice with the same directory: the second run goes on where the first one stopped.
 *
 *   node examples/outbox.mjs DIRECTORY
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { json, open } from 'bookend'

const directory = process.argv[2]
if (directory === undefined) throw new Error('usage: node examples/outbox.mjs DIRECTORY')
await mkdir(directory, { recursive: true })
const sentFile = path.join(directory, 'sent')

const log = await open(path.join(directory, 'log'))
const outbox = log.topic('outbox', { codec: json })

// The business side: when the promise resolves, no crash and no power cut takes the letter away.
const orders = ['tea', 'cups', 'spoons']
for (const order of orders) {
  const offset = await outbox.append({ to: 'shop', order }, { durability: 'disk' })
  console.log(`stored ${offset}: ${order}`)
}

// The sending side: the offset behind the last letter sent is kept in a file, replaced in one step.
const sentUpTo = Number(await readFile(sentFile, 'utf8').catch(() => '0'))
const { next } = await outbox.bounds()
for await (const { offset, value } of outbox.read({ from: sentUpTo, follow: true })) {
  await send(value)
  // After the sending, never before it: a crash in between sends a letter twice, and loses none.
  await writeFile(`${sentFile}.new`, String(offset + 1))
  await rename(`${sentFile}.new`, sentFile)
  console.log(`sent ${offset}: ${value.order}`)
  // A service would follow for ever; this program ends when everything of its start has been sent.
  if (offset === next - 1) break
}

// What has been sent is not needed any more: its space comes back in whole segments.
await outbox.trim(next)
await log.close()

async function send() {
  await new Promise((resolve) => setTimeout(resolve, 5))
}

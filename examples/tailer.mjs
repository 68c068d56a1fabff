/**
 * A tailer in another process: prints what an application logs, as it logs it, and goes on after a restart of either where it stopped. Start
 * both with the same directory, in any order, in two terminals:
 *
 *   node examples/tailer.mjs DIRECTORY write [COUNT]
 *   node examples/tailer.mjs DIRECTORY [COUNT]
 */
import { access } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { json, open } from 'bookend'

const [directory, ...rest] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: node examples/tailer.mjs DIRECTORY [write] [COUNT]')
const isWriter = rest[0] === 'write'
const count = Number(rest.at(isWriter ? 1 : 0) ?? Number.POSITIVE_INFINITY)

if (isWriter) {
  // The owner: its appends do not know that somebody listens, and wait for nobody.
  const log = await open(directory, { retention: { consumed: true } })
  const lines = log.topic('lines', { codec: json })
  for (let number = 0; number < count; number++) {
    await lines.append({ level: number % 5 === 0 ? 'warn' : 'info', text: `line ${number}` })
    await setTimeout(10)
  }
  await log.close()
} else {
  // There is a log once its control file is there.
  while (!(await exists(path.join(directory, 'control')))) await setTimeout(50)
  const log = await open(directory, { readOnly: true, follow: true })
  // A group of this process: its position stands beside the log, and retention leaves what it has not seen.
  const group = log.topic('lines', { codec: json }).group('tailer')
  let printed = 0
  for await (const line of group.consume()) {
    console.log(`${line.offset} ${line.value.level} ${line.value.text}`)
    await line.ack()
    printed += 1
    if (printed === count) break
  }
  await log.close()
}

async function exists(file) {
  return await access(file).then(
    () => true,
    () => false,
  )
}

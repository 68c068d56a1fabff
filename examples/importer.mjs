// Imports a file line by line, each line once, however often this is killed: it goes on where it was.
// node examples/importer.mjs [folder] [file]
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { open, text } from 'bookend'

const [folder = 'importer-log', file = 'README.md'] = process.argv.slice(2)
const log = await open(folder)
const lines = log.topic('lines', { codec: text })
// The number of a line is written in one transaction with the line.
const producer = log.producer('importer')
const last = await producer.last()

let number = 0
let imported = 0
/** Handed over and not answered: only the last of them has to be awaited. */
let newest
for await (const line of createInterface({ input: createReadStream(file) })) {
  if (number > last) {
    newest = producer.append(lines, line, number)
    imported += 1
    if (imported % 1_000 === 0) await newest
  }
  number += 1
}
await newest
console.log(`${last < 0 ? '' : `went on behind line ${last + 1}, `}${imported} of ${number} lines imported`)
await log.close()

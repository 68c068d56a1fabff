// A small application: appends, reads, scans in the reader threads, closes, and opens again. Prints what it saw.
import { open, text } from 'bookend'

const directory = process.argv[2]
const log = await open(directory, { segmentBytes: 1024 * 1024, readers: 1 })
const lines = log.topic('lines', { codec: text })
const offset = await lines.append('line 0')
const bulk = await lines.appendMany(Array.from({ length: 999 }, (_, index) => `line ${index + 1}`))
let read = 0
for await (const { value } of lines.read()) if (value === `line ${read}`) read++
const scanned = await lines.scan(new URL('./count.js', import.meta.url))
const { io } = log.stats()
await log.close()

const again = await open(directory)
const { next: reopened } = await again.topic('lines').bounds()
await again.close()
console.log(JSON.stringify({ io, offset, bulk, read, scanned, reopened }))

/** `node verify-main.js LOG`: the verdict over a log in one line of JSON, for the tools. */
import { verifyLog } from './verify-log.js'

const found = await verifyLog(process.argv.at(-1) as string)
const stop = found.damages > 0 || found.problem !== undefined ? 'damage' : found.tornBytes > 0 ? 'torn' : 'end'
// Damage on a device that did nothing but lose power is a wrong log.
const wrong = found.wrong + found.duplicates + (stop === 'damage' ? 1 : 0)
console.log(JSON.stringify({ first: found.first, records: found.records, wrong, stop, problem: found.problem }))

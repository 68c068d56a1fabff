/**
 * Writer, reader and reaper ended in the middle of everything: terminated from outside, or by an exception, a rejection, an exit or
 * the end of their heap at any operation on shared memory. Must: readers and the reaper are replaced without a call that fails;
 * the writer's death fails what is pending with BOOKEND_WORKER, and its log opens whole; nothing hangs.
 *
 * Mutants it catches: no replacement of a reaper, no second try of a read.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { root } from './writer-process.js'

interface Deaths {
  deaths: number
  hangs: number
  unreached: number
  acknowledged: number
  lost: number
  wrong: number
  recoveryMs: number[]
  failures: string[]
}

const ways = ['terminate', 'exit', 'reject', 'memory', 'throw']
const deathsAtATime = 4
/** Who dies, and how many readers the log has. */
const cases: [string, number, string][] = [
  ['reader', 1, 'reader dies, the only one'],
  ['reader', 2, 'reader dies, one of two'],
  ['reaper', 1, 'reaper dies'],
  ['writer', 1, 'writer dies'],
]

export const dyingThreads: Fault = {
  name: 'dying-threads',
  isRoot: false,
  weight: 68,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    for (const [index, [role, readers, what]] of cases.entries()) {
      const own = context.part(cases.length - index)
      const row = { ...emptyRow(what), acknowledged: 0, lost: 0, wrong: 0 }
      let hangs = 0
      let unreached = 0
      for (let turn = 0; own.more(turn, ways.length); turn++) {
        // What a reader throws is an answer, not its end.
        const how = ways[turn % (role === 'reader' ? 4 : 5)]
        const found = await run([role, how, deathsAtATime, context.seed + turn, context.scratch, readers])
        row.runs += found.deaths
        row.acknowledged += found.acknowledged
        row.lost += found.lost
        row.wrong += found.wrong
        row.recoveryMs.push(...found.recoveryMs)
        row.failures.push(...found.failures.map((failure) => `${how}: ${failure}`))
        hangs += found.hangs
        unreached += found.unreached
      }
      row.note = `${hangs} hangs${unreached > 0 ? `, ${unreached} lived on` : ''}`
      rows.push(row)
    }
    return rows
  },
}

function run(rest: readonly (string | number)[]): Promise<Deaths> {
  const program = path.join(root, 'test/faults/programs/dying-threads.mjs')
  const args = [program, ...rest.map(String)]
  const environment = { ...process.env, BOOKEND: new URL('../../src/index.js', import.meta.url).href }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  return new Promise((resolve) => {
    child.once('close', (status, signal) => {
      clearTimeout(timer)
      const last = output.trim().split('\n').at(-1) ?? ''
      if (last.startsWith('{')) return resolve(JSON.parse(last))
      const failures = [`ended with ${signal ?? status}: ${errors.slice(0, 600)}`]
      resolve({ deaths: 0, hangs: 1, unreached: 0, acknowledged: 0, lost: 0, wrong: 0, recoveryMs: [], failures })
    })
  })
}

// Ends one thread of a log in the middle of its work, again and again. node dying-threads.mjs ROLE HOW DEATHS SEED FOLDER [READERS]
//   Prints one line of JSON: deaths, hangs, what went wrong, how long the log took to answer again.

import { rmSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import { payload } from '../../fixtures/payload.mjs'

const [role, how, deathsText, seedText, folder, readersText = '1'] = process.argv.slice(2)
const deaths = Number(deathsText)
let state = Number(seedText) >>> 0 || 1
function below(bound) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * bound)
}

// The library has no hook to end its threads: they are seen by standing in for the class that makes them.
const threads = createRequire(import.meta.url)('node:worker_threads')
const RealWorker = threads.Worker
let victims = []
/** Called with the first of a run, when it is made: reader threads start with the first read that needs one. */
let onVictim = () => {}
let dying = 'none 0'
const hook = new URL('./dying-hook.mjs', import.meta.url).href
threads.Worker = class Worker extends RealWorker {
  constructor(file, options) {
    const mine = role === 'reader' ? !options?.name?.startsWith('bookend-') : options?.name === `bookend-${role}`
    const isVictim = mine && dying !== 'none 0'
    super(file, {
      ...options,
      ...(isVictim ? { env: { ...process.env, DYING: dying }, execArgv: [...process.execArgv, '--import', hook] } : {}),
      ...(isVictim && how === 'memory' ? { resourceLimits: { maxOldGenerationSizeMb: 24 } } : {}),
    })
    if (!mine) return
    victims.push(this)
    if (victims.length === 1) onVictim(this)
    // Only the first of a role is to die: the next one is asked to live.
    if (isVictim) dying = 'none 0'
  }
}
syncBuiltinESMExports()
const { open } = await import(process.env.BOOKEND ?? '../../../dist/src/index.js')

const result = { deaths: 0, hangs: 0, unreached: 0, acknowledged: 0, lost: 0, wrong: 0, recoveryMs: [], failures: [] }
const limitMs = 20_000
async function within(what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error(`hangs: ${what}`), { isHang: true })), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

// A log that hangs cannot be closed, and holds up what comes after it: one is enough.
for (let run = 0; run < deaths && result.hangs === 0; run++) {
  const directory = path.join(folder, 'log')
  rmSync(directory, { recursive: true, force: true })
  victims = []
  if (how !== 'terminate')
    dying = `${how} ${role === 'reader' ? 1 + below(200) : 20 + below(role === 'writer' ? 6000 : 700)}`
  let acknowledged = -1
  try {
    const durability = below(2) === 0 ? 'disk' : 'process'
    const io = below(3) === 0 ? 'file' : 'auto'
    const options = {
      segmentBytes: 1 << 20,
      ringBytes: 64 << 10,
      readers: Number(readersText),
      mapTtlMs: 20,
      flushIntervalMs: 10,
      durability,
      io,
    }
    let died
    let recovered
    // At work, not while it loads its modules: V8 ends the whole process over that now and then. A reader's first message says that it has
    // loaded them; the others have, since the log is open.
    const endSoon = () => setTimeout(() => victims[0].terminate(), 1 + below(60))
    onVictim = (victim) => {
      if (how === 'terminate' && role === 'reader') victim.once('message', endSoon)
      victim.once('exit', () => {
        died = performance.now()
        if (role === 'writer' || acknowledged < 0) return
        // Asked for at once, and by nobody else: how long until a thread in that place answers.
        const asked = role === 'reader' ? topic.offsetAt(0) : log.segments({ limit: 1 })
        recovered = asked.then(
          () => performance.now() - died,
          (error) => error,
        )
      })
    }
    const log = await open(directory, options)
    const topic = log.topic('numbers')
    if (how === 'terminate' && role !== 'reader') endSoon()
    let failure
    const start = performance.now()
    let after = 0
    for (let round = 0; failure === undefined && performance.now() - start < 4_000 && after < 3; round++) {
      const first = acknowledged + 1
      const calls = []
      for (let index = 0; index < 20; index++) calls.push(topic.append(payload(first + index, 4_000 + below(3_000))))
      const settled = await within('append', Promise.allSettled(calls))
      for (const [index, { status, value, reason }] of settled.entries()) {
        if (status === 'rejected') failure ??= reason
        else if (value !== first + index) throw new Error(`message ${first + index} came to ${value}`)
        else acknowledged = value
      }
      if (acknowledged >= 0) {
        const offset = below(acknowledged + 1)
        const message = await within('get', topic.get(offset))
        if (message === undefined ? offset >= (await topic.bounds()).first : !isPrefix(offset, message.value))
          result.wrong += 1
        // What is in memory is read without the reader threads. This is not.
        const firstOffset = await within('a search', topic.offsetAt(0))
        if (firstOffset > acknowledged) result.wrong += 1
      }
      if (round % 5 === 4)
        await within(
          'trim',
          topic.trim(Math.max(0, acknowledged - 300)).catch((error) => {
            failure ??= error
          }),
        )
      if (died !== undefined) after += 1
    }
    if (died === undefined) result.unreached += 1
    else {
      result.deaths += 1
      const took = await within('the answer after the end of a thread', recovered)
      if (typeof took === 'number') result.recoveryMs.push(took)
      else if (took !== undefined) result.failures.push(`run ${run}: ${took.code ?? ''} ${took.message}`)
    }
    if (failure !== undefined) {
      const mayFail = role === 'writer' && failure.code === 'BOOKEND_WORKER'
      if (!mayFail) result.failures.push(`run ${run}: ${failure.code} ${failure.message}`)
      for (const call of [() => topic.append(payload(0)), () => log.flush('disk')]) {
        const code = await within(
          'a call after the failure',
          Promise.resolve()
            .then(call)
            .then(
              () => 'none',
              (error) => error.code,
            ),
        )
        if (code !== failure.code) result.failures.push(`run ${run}: then ${code}`)
      }
    }
    if (role === 'writer' && died !== undefined && failure === undefined)
      result.failures.push(`run ${run}: the writer died and nobody was told`)
    let read = 0
    const { first } = await topic.bounds()
    await within(
      'read',
      (async () => {
        for await (const { offset, value } of topic.read()) {
          if (offset !== first + read || !isPrefix(offset, value)) result.wrong += 1
          read += 1
        }
      })(),
    )
    await within(
      'close',
      log.close().catch(() => {}),
    )
    const again = await within('open', open(directory, { readers: 1 }))
    const { next } = await again.topic('numbers').bounds()
    if (next <= acknowledged) result.lost += acknowledged + 1 - next
    if (again.stats().recovery.damages.length > 0) result.failures.push(`run ${run}: damage reported`)
    if ((await again.topic('numbers').append(payload(next))) !== next) result.failures.push(`run ${run}: cannot go on`)
    await within('close again', again.close())
  } catch (error) {
    if (error.isHang) result.hangs += 1
    // A thread that dies while the log is being opened fails the opening; the others are still to come.
    const isEarly = acknowledged < 0 && error.code === 'BOOKEND_WORKER'
    if (isEarly) result.deaths += 1
    else result.failures.push(`run ${run}: ${error.code ?? ''} ${error.message}`)
  }
  result.acknowledged += acknowledged + 1
}
console.log(JSON.stringify(result))
process.exit(0)

/** Messages are as long as chance has it: the bytes of their number, as many as there are. */
function isPrefix(number, bytes) {
  return Buffer.compare(payload(number, bytes.length), bytes) === 0
}

/** The same random programme on the local engine and on the one in arrays: everything that can be seen is the same. */
import type { Log } from 'bookend'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EngineLog } from '../../../src/log/log.js'
import { openLog } from '../../scenarios/support.js'
import { Program, type Step, steps } from '../../support/engine-program.js'
import { MemoryEngine } from '../../support/memory-engine/memory-engine.js'

const seed = Number(process.env.BOOKEND_SEED ?? 7)
const numRuns = Number(process.env.BOOKEND_RUNS ?? 60)

async function outcomeOf(program: Program, { run }: Step): Promise<unknown> {
  try {
    return { value: await run(program) }
  } catch (error) {
    const { name, code, topic, first } = error as Error & { code: unknown; topic: unknown; first: unknown }
    return { name, code, topic, first }
  }
}

it(`a random programme shows the same on the local engine as in arrays (seed ${seed})`, async () => {
  const local = await openLog()
  const arrays: Log = new EngineLog(new MemoryEngine())
  const seen = new Map<string, number>()
  let runs = 0
  const property = fc.asyncProperty(steps, async (programme) => {
    const name = `t${runs++}`
    const [real, model] = [local, arrays].map((log) => new Program(log, name))
    for (const [index, step] of programme.entries()) {
      const expected = await outcomeOf(model, step)
      expect(await outcomeOf(real, step), `step ${index}`).toEqual(expected)
      expect(await real.state(), `behind step ${index}`).toEqual(await model.state())
      const kind = `${step.name}${'name' in (expected as object) ? ' fails' : ''}`
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
    }
    expect(await real.contents()).toEqual(await model.contents())
  })
  await fc.assert(property, { seed, numRuns })
  expect(await local.topics()).toEqual(await arrays.topics())
  await arrays.close()
  // Programmes that never come to something compare nothing.
  for (const kind of ['append', 'consume', 'settle', 'seek', 'pop', 'trim', 'read'])
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(numRuns / 4)
  for (const kind of ['trim fails', 'read fails', 'seek fails']) expect(seen.has(kind), kind).toBe(true)
})

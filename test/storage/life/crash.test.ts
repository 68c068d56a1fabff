/**
 * Power cuts on the simulated disk, see support/life.ts; `npm run faults -- --only power-cut` makes many more of them.
 *
 * `SEED=n npx vitest run test/storage/crash` replays one life.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { emptyTally, liveAndCut, type Mutant } from '../../support/life.js'
import { seedsFrom } from '../../support/seeded.js'

const checksum = vi.hoisted(() => ({ isOn: true }))
vi.mock('node:zlib', async (importOriginal) => {
  const zlib = await importOriginal<typeof import('node:zlib')>()
  const crc32: typeof zlib.crc32 = (data, value) => (checksum.isOn ? zlib.crc32(data, value) : 0)
  return { ...zlib, crc32, default: { ...zlib, crc32 } }
})
afterEach(() => {
  checksum.isOn = true
})

interface CrashMutant extends Mutant {
  withoutChecksum?: boolean
}

const tally = emptyTally()

async function run(seed: number, mutant: CrashMutant, images: number, isSameBoot = false): Promise<void> {
  checksum.isOn = mutant.withoutChecksum !== true
  await liveAndCut(seed, mutant, images, isSameBoot, tally).finally(() => {
    checksum.isOn = true
  })
}

/** How many lives it takes until the mutant is caught; undefined: it never was. */
async function livesToCatch(mutant: CrashMutant, lives: number): Promise<number | undefined> {
  for (let life = 0; life < lives; life++) {
    try {
      await run(5_000 + life, mutant, 8)
    } catch {
      return life + 1
    }
  }
  return undefined
}

describe('after a power cut', () => {
  it.each(seedsFrom(1, 10))('the log is a gap-free prefix with everything durable (SEED=%i)', async (seed) => {
    await run(seed, {}, 10)
  })

  it.each(seedsFrom(101, 4))(
    'the same holds where the machine did not restart, only the file system (SEED=%i)',
    async (seed) => {
      await run(seed, {}, 10, true)
    },
  )

  it.each(seedsFrom(201, 8))(
    'the same holds while retention deletes segments and moves what is left of small topics (SEED=%i)',
    async (seed) => {
      await run(seed, { retains: true }, 20)
    },
  )

  it.each(seedsFrom(301, 6))(
    'the same holds while segments are written anew without what retention lets go (SEED=%i)',
    async (seed) => {
      await run(seed, { reclaims: true }, 20)
    },
  )

  it.each(seedsFrom(401, 4))('and while they are packed (SEED=%i)', async (seed) => {
    await run(seed, { reclaims: true, packs: true }, 20)
  })

  it('was tried in lives that rolled, deleted segments and left torn tails', () => {
    if (process.env.SEED !== undefined) return
    expect(tally.rolls).toBeGreaterThan(20)
    expect(tally.deletions).toBeGreaterThan(20)
    expect(tally.moves).toBeGreaterThan(5)
    expect(tally.rewrites).toBeGreaterThan(20)
    expect(tally.packs).toBeGreaterThan(10)
    expect(tally.torn).toBeGreaterThan(20)
    expect(tally.images).toBeGreaterThan(300)
  })
})

describe('mutants that the crash test has to catch', () => {
  it.each<[string, CrashMutant]>([
    ['acknowledges before the flush', { acknowledgesEarly: true }],
    ['checks no checksum', { withoutChecksum: true }],
    ['does not zero a torn tail', { lies: { zeroing: true }, isUniform: true }],
    ['does not flush directories', { lies: { syncDirectory: '/log/log' } }],
    ['does not flush the control file before it deletes', { lies: { sync: '/control' } }],
    ['does not flush segments', { lies: { sync: '.seg' } }],
    ['does not flush what takes the name of a segment', { reclaims: true, lies: { sync: '.seg.new' } }],
  ])('%s', async (_, mutant) => {
    expect(await livesToCatch(mutant, 12)).toBeDefined()
  })
})

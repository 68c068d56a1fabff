/** Feature words are stated before what they speak of is written: whatever the moment of a power cut, they are there, and the log opens. */
import { expect, it } from 'vitest'
import { controlBytes, controlIdentityAt, controlIdentityBytes } from '../../../src/format/control-layout.js'
import { type Features, featuresFault, joinFeatures, noFeatures, sameFeatures } from '../../../src/format/features.js'
import { ControlFile } from '../../../src/storage/files/control-file.js'
import { Seeded } from '../../support/seeded.js'
import { imageStyles, SimulatedDisk } from '../../support/simulated-disk.js'

const record = { epoch: 3, isClean: false, published: 0, durable: 0, trim: 0, time: 1, bootId: 'a'.repeat(32) }
const path = '/log/control'

function newLog(): { disk: SimulatedDisk; control: ControlFile } {
  const disk = new SimulatedDisk()
  const control = ControlFile.create(disk, '/log', 1 << 20, 1)
  control.write(record)
  control.sync()
  disk.settle()
  return { disk, control }
}

/** Which words a file says, if it is whole. */
function featuresOf(disk: SimulatedDisk): Features | undefined {
  const found = ControlFile.open(disk, '/log', 'read')
  found?.close()
  expect(found?.found).toMatchObject(record)
  return found?.identity.features
}

/** Compatible ones only: this release has to open what it finds. */
const steps = [1, 2, 0x80000000].map((compatible) => ({ ...noFeatures, compatible }))

it('a power cut at any step leaves the words from before it or after it, and none that were durable are lost', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Seeded(seed)
    const { disk, control } = newLog()
    // How many events there were when each of the words was durable.
    const durable: { words: Features; at: number }[] = [{ words: noFeatures, at: 0 }]
    for (const step of steps) {
      control.require(step)
      durable.push({ words: control.identity.features, at: disk.events.length })
    }
    for (let cut = 0; cut <= disk.events.length; cut++) {
      for (const style of imageStyles) {
        const found = featuresOf(disk.imageAfter(cut, random, style))
        const least = durable.filter(({ at }) => at <= cut).at(-1)
        if (found === undefined || least === undefined) throw new Error(`cut at ${cut}, ${style}: no log is left`)
        const among = durable.some(({ words }) => sameFeatures(words, found))
        expect({ among, kept: sameFeatures(joinFeatures(found, least.words), found) }).toEqual({
          among: true,
          kept: true,
        })
      }
    }
  }
})

it('a sector that is torn while the words change, wherever that was, leaves an identity', () => {
  for (const wasTornBefore of [false, true]) {
    const { disk, control } = newLog()
    control.require({ ...noFeatures, compatible: 1 })
    // The one that counts first is damaged, and the log lives by its spare.
    if (wasTornBefore) disk.bytes(path).fill(7, 0, 20)
    const before = disk.events.length
    control.require({ ...noFeatures, compatible: 2 })
    const writes = disk.events.slice(before).filter((event) => event.kind === 'write')
    expect(writes.map(({ at }) => at)).toEqual(wasTornBefore ? [0, 1536] : [1536, 0])
    for (const cut of writes.keys()) {
      const image = new SimulatedDisk()
      const bytes = disk.bytes(path).slice()
      // Before the changes, up to the write that is torn in the middle.
      const old = newLog()
      old.control.require({ ...noFeatures, compatible: 1 })
      for (const at of controlIdentityAt) bytes.set(old.disk.bytes(path).subarray(at, at + controlIdentityBytes), at)
      if (wasTornBefore) bytes.fill(7, 0, 20)
      for (const { at, bytes: written } of writes.slice(0, cut)) bytes.set(written, at)
      bytes.set(writes[cut].bytes.subarray(0, 30), writes[cut].at)
      image.put(path, bytes)
      expect(featuresOf(image)?.compatible ?? 0).toBeGreaterThan(0)
    }
  }
})

it('what is stated already is not written again, and the file keeps its size and its place', () => {
  const { disk, control } = newLog()
  control.require({ ...noFeatures, compatible: 6 })
  const before = disk.events.length
  control.require({ ...noFeatures, compatible: 2 })
  expect(disk.events.length).toBe(before)
  expect(disk.bytes(path).length).toBe(controlBytes)
  expect(disk.events.some(({ kind }) => kind === 'rename' || kind === 'create')).toBe(false)
})

it.each([
  ['incompatible', ['read', 'write']],
  ['readOnlyCompatible', ['write']],
  ['compatible', []],
] as const)('a word with an unknown %s bit is refused to: %s', (name, refused) => {
  const { disk, control } = newLog()
  control.require({ ...noFeatures, [name]: 0x40 })
  for (const access of ['read', 'write'] as const) {
    let error: unknown
    try {
      ControlFile.open(disk, '/log', access)?.close()
    } catch (thrown) {
      error = thrown
    }
    const isRefused = (refused as readonly string[]).includes(access)
    const fault = featuresFault(control.identity.features, access)
    expect(error).toEqual(isRefused ? expect.objectContaining({ code: 'BOOKEND_FORMAT', file: path }) : undefined)
    if (isRefused) expect((error as Error).message).toBe(`${path} ${fault}`)
  }
  control.close()
  expect(disk.openFiles).toBe(0)
})

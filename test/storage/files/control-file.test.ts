/** What is stated of a log in its control file while it is in use. */
import { expect, it } from 'vitest'
import { controlBytes, controlIdentityAt, controlIdentityBytes } from '../../../src/format/control-layout.js'
import { featuresFault, noFeatures } from '../../../src/format/features.js'
import { ControlFile } from '../../../src/storage/files/control-file.js'
import { featuresOf, logWithControl, stateAndCut } from '../../support/feature-words.js'
import { Seeded } from '../../support/seeded.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'

const path = '/log/control'

it('a power cut at any step leaves the words from before it or after it, and none that were durable are lost', () => {
  for (let seed = 0; seed < 20; seed++) expect(stateAndCut(new Seeded(seed))).toBeGreaterThan(5)
})

it('a sector that is torn while the words change, wherever that was, leaves an identity', () => {
  for (const wasTornBefore of [false, true]) {
    const { disk, control } = logWithControl()
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
      const old = logWithControl()
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
  const { disk, control } = logWithControl()
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
  const { disk, control } = logWithControl()
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

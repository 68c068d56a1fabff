import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { batchHeaderBytes, batchMagic, frameHeaderBytes, frameUnits } from '../../bench/contenders/bare-loop/layout.js'
import type { Store, StoreOptions } from '../../bench/contenders/contender.js'

/** Built JavaScript: the loop's worker is a real thread. */
const storeModule = new URL('../../dist/bench/contenders/bare-loop/store.js', import.meta.url).href
const { openBareLoop } = (await import(storeModule)) as {
  openBareLoop(options: StoreOptions, publishBytes: number): Promise<Store>
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(os.tmpdir(), 'bare-loop-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Every value in the segments, in order; checks each batch and each offset on the way. */
function readBack(): Uint8Array[] {
  const values: Uint8Array[] = []
  for (const name of readdirSync(directory).toSorted()) {
    const segment = readFileSync(join(directory, name))
    const basePosition = Number.parseInt(name, 10)
    for (let at = 0; at + batchHeaderBytes <= segment.length && segment.readUInt32LE(at + 4) === batchMagic; ) {
      const end = at + batchHeaderBytes + segment.readUInt32LE(at + 12)
      expect(segment.readUInt32LE(at)).toBe(crc32(segment.subarray(at + 4, end)))
      expect(segment.readDoubleLE(at + 24)).toBe(basePosition + at)
      let frame = at + batchHeaderBytes
      for (let count = segment.readUInt32LE(at + 16); count > 0; count--) {
        const length = segment.readUInt32LE(frame)
        const offset = segment.readUInt16LE(frame + 6) * 2 ** 32 + segment.readUInt32LE(frame + 8)
        if (offset !== values.length) throw new Error(`frame ${values.length} carries offset ${offset}`)
        values.push(segment.subarray(frame + frameHeaderBytes, frame + frameHeaderBytes + length))
        frame += frameUnits(length) * 8
      }
      expect(frame).toBe(end)
      at = end
    }
  }
  return values
}

it.each([0, 16 * 1024])(
  'writes every message, in order and checksummed, over several segments (publish at %i)',
  async (publishBytes) => {
    const values = Array.from({ length: 64 }, (_, index) => new Uint8Array(1000 + index).fill(index))
    const messages = 140_000
    const store = await openBareLoop({ directory, packageDirectory: '', level: 'process' }, publishBytes)
    await store.append(messages, values)
    store.appendOne!(new Uint8Array(3).fill(255))
    await store.close()

    expect(readdirSync(directory).length).toBeGreaterThan(1)
    const read = readBack()
    expect(read.length).toBe(messages + 1)
    const isWrong = (value: Uint8Array, index: number) =>
      index < messages &&
      (value.length !== 1000 + (index & 63) || value[0] !== (index & 63) || value.at(-1) !== (index & 63))
    expect(read.findIndex(isWrong)).toBe(-1)
    expect([...read[messages]!]).toEqual([255, 255, 255])
  },
  60_000,
)

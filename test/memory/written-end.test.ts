import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { isMappable } from '../../src/memory/file-system.js'
import { loadMemory } from '../../src/memory/load.js'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { writtenEnd } from '../../src/memory/written-end.js'

const size = 1 << 20
const calls = loadSystemCalls()
const parents = ['/dev/shm', process.cwd()].filter((parent) => fs.existsSync(parent))

describe.each(parents)('the written end of an allocated file below %s', (parent) => {
  const folder = fs.mkdtempSync(path.join(parent, 'bookend-written-'))
  const file = path.join(folder, 'file')
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  const allocate = (): number => {
    const descriptor = fs.openSync(file, 'w+')
    calls.allocate(descriptor, size)
    return descriptor
  }

  it.runIf(calls.isNative && isMappable(parent))('is in front of what was never written, mapped or not', () => {
    const descriptor = allocate()
    try {
      expect(writtenEnd(file, descriptor, size)).toBe(0)
      fs.writeSync(descriptor, 'a', 100_000)
      const end = writtenEnd(file, descriptor, size)
      expect(end).toBeGreaterThan(100_000)
      expect(end).toBeLessThan(size)
      fs.writeSync(descriptor, 'b', size - 1)
      expect(writtenEnd(file, descriptor, size)).toBe(size)
    } finally {
      fs.closeSync(descriptor)
    }
  })

  it('never hides a byte, whoever wrote it and whether it is on the device or not', () => {
    const write = fc.record({
      at: fc.nat(size - 1),
      way: fc.constantFrom('write', 'map', 'sync', 'read'),
    })
    const memory = loadMemory(calls.isNative ? 'koffi' : 'file', calls)
    const property = fc.property(fc.array(write, { maxLength: 8 }), (writes) => {
      const descriptor = allocate()
      const window = memory.open(file, size, 'write')
      try {
        for (const { at, way } of writes) {
          if (way === 'write') fs.writeSync(descriptor, 'x', at)
          else if (way === 'sync') fs.fdatasyncSync(descriptor)
          else if (way === 'read') fs.readSync(descriptor, new Uint8Array(4096), 0, 4096, at)
          else {
            window.bytes[window.place(at, 1)] = 7
            window.commit(at, 1)
          }
        }
        const rest = fs.readFileSync(file).subarray(writtenEnd(file, descriptor, size))
        expect(rest.every((byte) => byte === 0)).toBe(true)
      } finally {
        window.close()
        fs.closeSync(descriptor)
        fs.rmSync(file)
      }
    })
    fc.assert(property, { numRuns: 60 })
  })
})

import fs from 'node:fs'
import os from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { chooseMemory, loadMemory } from '../../src/memory/load.js'
import { loadMmapIo } from '../../src/memory/mmap-io-package.js'
import { PortableSystemCalls } from '../../src/memory/portable-system-calls.js'
import { loadSystemCalls } from '../../src/memory/system-calls.js'

const calls = loadSystemCalls()
const bestMapper = loadMmapIo() === undefined ? 'koffi' : 'mmap-io'

const onFileSystem = (type: number): void => {
  vi.spyOn(fs, 'statfsSync').mockReturnValue({ type } as fs.StatsFs)
}

describe('chooseMemory', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.runIf(calls.isNative).each([
    ['ext4', 0xef53],
    ['xfs', 0x58465342],
    ['tmpfs', 0x01021994],
    ['overlayfs', 0x794c7630],
    ['f2fs', 0xf2f52010],
    ['f2fs as a signed word', 0xf2f52010 | 0],
  ])('maps on %s', (_name, type) => {
    onFileSystem(type)
    expect(chooseMemory('auto', os.tmpdir(), calls)).toBe(bestMapper)
  })

  it.each([
    ['btrfs', 0x9123683e],
    ['btrfs as a signed word', 0x9123683e | 0],
    ['zfs', 0x2fc12fc1],
    ['nfs', 0x6969],
    ['a file system nobody knows', 0x1234],
  ])('does not map on %s by itself', (_name, type) => {
    onFileSystem(type)
    expect(chooseMemory('auto', os.tmpdir(), calls)).toBe('file')
  })

  it.runIf(calls.isNative)('maps on btrfs when told to', () => {
    onFileSystem(0x9123683e)
    expect(chooseMemory('mmap', os.tmpdir(), calls)).toBe(bestMapper)
  })

  it('takes files when told to', () => {
    expect(chooseMemory('file', os.tmpdir(), calls)).toBe('file')
  })

  it('falls back to files without native calls, and says so when mapping was demanded', () => {
    const portable = new PortableSystemCalls()
    expect(chooseMemory('auto', os.tmpdir(), portable)).toBe('file')
    expect(() => chooseMemory('mmap', os.tmpdir(), portable)).toThrow(/io 'mmap' cannot map files: .* io 'file'/)
  })

  it.runIf(calls.isNative)('throws a typed error for a folder that is not there', () => {
    expect(() => chooseMemory('auto', '/nowhere/at/all', calls)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })
})

describe('loadMemory', () => {
  it('gives the kind asked for', () => {
    expect(loadMemory('file', calls).kind).toBe('file')
    if (calls.isNative) {
      expect(loadMemory('koffi', calls).kind).toBe('koffi')
      expect(loadMemory(bestMapper, calls).kind).toBe(bestMapper)
    }
  })
})

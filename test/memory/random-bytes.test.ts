import fs from 'node:fs'
import { expect, it, onTestFinished, vi } from 'vitest'
import { randomBytes } from '../../src/memory/random-bytes.js'

const drawn = () => Array.from({ length: 100 }, () => randomBytes(16).toString('hex'))

it('as many bytes as asked for, and others each time', () => {
  const names = drawn()
  expect(names.every((name) => /^[0-9a-f]{32}$/.test(name))).toBe(true)
  expect(new Set(names).size).toBe(names.length)
})

it('so too where the kernel has no file for them, or gives fewer', () => {
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  vi.spyOn(fs, 'readSync').mockReturnValue(7)
  expect(new Set(drawn()).size).toBe(100)
  vi.spyOn(fs, 'openSync').mockImplementation(() => {
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  })
  expect(new Set(drawn()).size).toBe(100)
})

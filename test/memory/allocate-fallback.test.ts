import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Libc } from '../../src/memory/libc.js'
import { pageBytes } from '../../src/memory/memory.js'
import { NativeSystemCalls } from '../../src/memory/native-system-calls.js'
import { temporaryFolder } from './temporary-folder.js'

const callsAnswering = (...answers: number[]): NativeSystemCalls =>
  new NativeSystemCalls({ allocate: () => answers.shift() ?? 0 } as unknown as Libc)

describe('allocate', () => {
  const folder = temporaryFolder()
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  it.each([95, 22])('writes zeros where posix_fallocate answers %i', (answer) => {
    const descriptor = fs.openSync(path.join(folder, `zeros-${answer}`), 'w+')
    callsAnswering(4, answer).allocate(descriptor, 4 * pageBytes)
    const { size, blocks } = fs.fstatSync(descriptor)
    fs.closeSync(descriptor)
    expect(size).toBe(4 * pageBytes)
    expect(blocks * 512).toBeGreaterThanOrEqual(4 * pageBytes)
  })

  it.each([
    [28, 'ENOSPC'],
    [122, 'EDQUOT'],
    [27, 'EFBIG'],
    [117, 'EUCLEAN'],
    [4095, 'ERRNO_4095'],
  ])('turns answer %i into %s', (answer, code) => {
    expect(() => callsAnswering(answer).allocate(3, pageBytes)).toThrow(
      expect.objectContaining({ code, errno: answer }),
    )
  })
})

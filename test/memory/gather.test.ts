import { describe, expect, it, vi } from 'vitest'
import { createGather } from '../../src/memory/gather.js'
import type { Libc } from '../../src/memory/libc.js'

/** A C library whose call answers with the given numbers, one after another. */
function libcAnswering(...answers: number[]) {
  const readRanges = vi.fn((_targets: number, _sources: number, _count: number) => answers.shift() ?? 0)
  return { libc: { addressOf: () => 2 ** 40, readRanges } as unknown as Libc, readRanges }
}

const target = new Uint8Array(new ArrayBuffer(100))
const ranges = Uint32Array.of(0, 10, 0, 50, 20, 10)

describe('gather', () => {
  it('is done when everything was copied', () => {
    expect(createGather(libcAnswering(30).libc)(4096, target, ranges, 2)).toBe(true)
  })

  it.each([
    ['the first range cannot be read', -14],
    ['a later one cannot', 10],
    ['nothing was copied', 0],
  ])('is EFAULT where %s', (_, answer) => {
    const gather = createGather(libcAnswering(answer).libc)
    expect(() => gather(4096, target, ranges, 2)).toThrow(
      expect.objectContaining({ name: 'SystemCallError', code: 'EFAULT' }),
    )
  })

  it.each([
    ['EPERM', -1],
    ['ENOSYS', -38],
  ])('gives up for good on %s', (_, answer) => {
    const { libc, readRanges } = libcAnswering(answer)
    const gather = createGather(libc)
    expect(gather(4096, target, ranges, 2)).toBe(false)
    expect(gather(4096, target, ranges, 2)).toBe(false)
    expect(readRanges).toHaveBeenCalledTimes(1)
  })

  it('is not tried where the C library has no such call', () => {
    const libc = { addressOf: () => 2 ** 40, readRanges: undefined } as unknown as Libc
    expect(createGather(libc)(4096, target, ranges, 2)).toBe(false)
  })
})

import { describe, expect, it, vi } from 'vitest'
import { createFaultIn } from '../../src/memory/fault-in.js'
import type { Libc } from '../../src/memory/libc.js'

/** A C library whose `madvise` answers with the given error numbers, one after another. */
function libcAnswering(...answers: number[]): { libc: Libc; advise: ReturnType<typeof vi.fn> } {
  const advise = vi.fn((_address: number, _byteLength: number, _advice: number) => answers.shift() ?? 0)
  return { libc: { kernelPageBytes: 4096, advise } as unknown as Libc, advise }
}

describe('faultIn', () => {
  it('asks for the whole pages around the range', () => {
    const { libc, advise } = libcAnswering()
    createFaultIn(libc)(2 ** 46 + 4097, 4096)
    expect(advise).toHaveBeenCalledExactlyOnceWith(2 ** 46 + 4096, 8192, 22)
  })

  it('asks for a range of several pages as one where the mapping does not read ahead', () => {
    const { libc, advise } = libcAnswering()
    const faultIn = createFaultIn(libc)
    faultIn(4096, 4096, true)
    expect(advise.mock.calls).toEqual([[4096, 4096, 22]])
    faultIn(4096, 4097, true)
    expect(advise.mock.calls.slice(1)).toEqual([
      [4096, 8192, 3],
      [4096, 8192, 22],
    ])
  })

  it.each([
    [14, 'EFAULT'],
    [133, 'EHWPOISON'],
    [12, 'ENOMEM'],
  ])('turns error %i into %s', (number, code) => {
    const faultIn = createFaultIn(libcAnswering(number).libc)
    expect(() => faultIn(4096, 1)).toThrow(expect.objectContaining({ name: 'SystemCallError', code, errno: number }))
  })

  it('repeats an interrupted call', () => {
    const { libc, advise } = libcAnswering(4, 4, 0)
    createFaultIn(libc)(4096, 1)
    expect(advise).toHaveBeenCalledTimes(3)
  })

  it('gives up for good on a kernel that does not know the call', () => {
    const { libc, advise } = libcAnswering(22)
    const faultIn = createFaultIn(libc)
    faultIn(4096, 1)
    faultIn(4096, 1)
    expect(advise).toHaveBeenCalledTimes(1)
  })
})

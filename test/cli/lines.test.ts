import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Line, linesOf } from '../../src/cli/lines.js'

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(start, cut)
    start = cut
  }
}

it('lines are the same wherever the input is cut', async () => {
  const pieces = fc.array(fc.constantFrom('a', '\n', '\r\n', '\r', 'long text', '\xff'), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(pieces, fc.array(fc.nat(100), { maxLength: 6 }), async (parts, cuts) => {
      const text = parts.join('')
      const lines: Line[] = []
      for await (const some of linesOf(inPieces(Buffer.from(text, 'latin1'), cuts), 1_000)) lines.push(...some)
      const expected = text.split('\n').map((line) => line.replace(/\r$/, ''))
      if (text === '' || text.endsWith('\n')) expected.pop()
      expect(lines.map(({ bytes }) => Buffer.from(bytes).toString('latin1'))).toEqual(expected)
      expect(lines.map(({ number }) => number)).toEqual(lines.map((_, index) => index + 1))
    }),
  )
})

it('no more is kept of a line without end than was said', async () => {
  let given = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('short\n')
    for (;;) {
      given += 100
      yield new Uint8Array(100).fill(65)
    }
  }
  const numbers: number[] = []
  await expect(async () => {
    for await (const lines of linesOf(endless(), 1_000)) numbers.push(...lines.map(({ number }) => number))
  }).rejects.toThrow('line 2')
  expect(numbers).toEqual([1])
  expect(given).toBe(1_100)
})

import { expect, it } from 'vitest'
import { packKeys, unpackKeys } from '../../src/collections/packed-keys.js'

it('packed keys are what they were, empty ones too, whatever buffers they are views of', () => {
  const pool = Buffer.alloc(100, 'abcdefg')
  const asked = [pool.subarray(3, 9), new Uint8Array(0), new TextEncoder().encode('ä'), pool].map((key, to) => ({
    key,
    to: to * 2 ** 40,
  }))
  const back = unpackKeys(structuredClone(packKeys(asked)))
  expect(back.map(({ key, to }) => ({ key: [...key], to }))).toEqual(
    asked.map(({ key, to }) => ({ key: [...key], to })),
  )
  expect(unpackKeys(packKeys([]))).toEqual([])
})

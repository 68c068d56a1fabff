import { expect, it } from 'vitest'
import { outgoing } from '../../../src/jetstream/server/wire.js'

it.each([
  ['a Uint8Array', new Uint8Array([1, 2, 3])],
  ['a Buffer', Buffer.from([1, 2, 3])],
])('what is handed over as %s is copied: the caller may use its memory again', (_, value) => {
  const { payload } = outgoing(value, undefined)
  value.fill(9)
  expect([...payload]).toEqual([1, 2, 3])
})

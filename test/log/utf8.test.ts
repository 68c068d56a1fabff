import { expect, it } from 'vitest'
import { utf8 } from '../../src/log/utf8.js'

it.each([
  '',
  'order-7',
  'a'.repeat(96),
  'a'.repeat(97),
  'é',
  `${'a'.repeat(95)}€`,
  'a\u{1f600}',
  'a\ud800b',
  '\0\u007f\u0080',
])('is what TextEncoder says (%j), in memory of its own', (text) => {
  const bytes = utf8(text)
  expect([...bytes]).toEqual([...new TextEncoder().encode(text)])
  expect(bytes.buffer.byteLength).toBe(bytes.length)
})

import { expect, it } from 'vitest'
import { globOf, matches } from '../../../src/http/subscriptions/glob.js'

it.each([
  ['events/*', 'events/a', true],
  ['events/*', 'events/a/b', false],
  ['events/*', 'events', false],
  ['**', 'a', true],
  ['**', 'a/b/c', true],
  ['a/**', 'a', true],
  ['a/**', 'a/b/c', true],
  ['a/**', 'b/a', false],
  ['a/**/z', 'a/z', true],
  ['a/**/z', 'a/b/z/c/z', true],
  ['a/**/z', 'a/b/z/c', false],
  ['**/b/*', 'a/b/b/c', true],
  ['**/**', 'a', true],
  ['a%2Fb', 'a%2Fb', true],
  ['a%2fb', 'a%2Fb', true],
  ['chat%5F1', 'chat_1', true],
])('%s and %s: %s', (pattern, path, expected) => {
  expect(matches(globOf(pattern), path)).toBe(expected)
})

it('a pattern that is made to take long does not', () => {
  const pattern = globOf(`${'**/a/'.repeat(100)}b`)
  expect(matches(pattern, Array<string>(2_000).fill('a').join('/'))).toBe(false)
})

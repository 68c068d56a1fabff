import { expect, it } from 'vitest'
import { cursorAfter, cursorSince } from '../../src/http/cursors.js'

const nowMs = Date.UTC(2026, 0, 1)
const intervalMs = 20_000
const current = Number(cursorAfter(undefined, nowMs))

it('is the number of the present interval for who has none, or one of the past, or none at all that is a number', () => {
  for (const known of [undefined, '0', String(current - 1), '', '-1', 'x', '9'.repeat(16)])
    expect(cursorAfter(known, nowMs)).toBe(String(current))
  expect(Number(cursorAfter(undefined, nowMs + intervalMs))).toBe(current + 1)
})

it('is greater than the one the client came with', () => {
  for (let round = 0; round < 100; round++)
    for (const known of [current, current + 5, 1e14])
      expect(Number(cursorAfter(String(known), nowMs))).toBeGreaterThan(known)
})

it('on a connection that goes on stays until it is of the past, and never goes back', () => {
  expect(cursorSince(String(current), nowMs)).toBe(String(current))
  expect(cursorSince(String(current + 7), nowMs + intervalMs)).toBe(String(current + 7))
  expect(cursorSince(String(current), nowMs + intervalMs)).toBe(String(current + 1))
  // A clock that was set back.
  expect(cursorSince(String(current), nowMs - 5 * intervalMs)).toBe(String(current))
})

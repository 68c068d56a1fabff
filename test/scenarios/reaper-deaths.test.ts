import { expect, it } from 'vitest'
import { report, temporaryFolder } from './support.js'

interface Deaths {
  failures: string[]
  appended: number
  next: number
  first: number
  left: number
  errors: { count: number; last: string }
  groups: number[]
  reopened: { bounds: { first: number; next: number }; damages: unknown[]; groups: number }
  popped: number[]
  rest: boolean
  backups: { outcome: string; left: 'nothing' | 'marked' | 'unmarked'; appended: number }[]
  copies: string[]
}

it('reapers die one after the other: groups, queues, retention and introspection go on, backups say that they did not', async () => {
  const found = await report<Deaths>('reaper-deaths.mjs', [temporaryFolder()])
  expect(found.failures).toEqual([])
  expect(found.next).toBe(found.appended)
  // Six deaths, each seen by those who look.
  expect(found.errors).toEqual({ count: 6, last: 'BOOKEND_WORKER' })
  // The policies of single topics hold for every reaper: all but the last few segments are gone.
  expect(found.left).toBeLessThanOrEqual(6)
  expect(found.first).toBeGreaterThan(0)
  // Each was made under a dying reaper, and removed under the next; the last one is there, and the queue’s.
  expect(found.reopened).toMatchObject({ bounds: { next: found.next }, damages: [], groups: 2 })
  // Where it was put: behind what was published by then, of the appends of its own round some or all.
  expect(found.groups[5]).toBeGreaterThanOrEqual(200)
  expect(found.groups[5]).toBeLessThanOrEqual(240)
  // Once, in order, none passed over.
  expect(found.popped).toEqual(Array.from({ length: 60 }, (_, index) => index))
  expect(found.rest).toBe(true)
  for (const [death, { outcome, left, appended }] of found.backups.entries()) {
    expect(['whole', 'BOOKEND_WORKER']).toContain(outcome)
    if (outcome === 'whole') expect(left).toBe('unmarked')
    // A reaper may die when all is done but the answer: what is not marked is whole.
    const expected = left === 'unmarked' ? `holds ${appended}` : 'BOOKEND_FORMAT'
    expect(found.copies[death], `death ${death}: ${outcome}, ${left}`).toBe(expected)
  }
  expect(found.backups.some(({ outcome }) => outcome === 'BOOKEND_WORKER')).toBe(true)
})

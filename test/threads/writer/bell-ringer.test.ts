import { expect, it } from 'vitest'
import type { BellRecord } from '../../../src/format/bell-layout.js'
import type { BellFile } from '../../../src/storage/files/bell-file.js'
import { BellRinger } from '../../../src/threads/writer/bell-ringer.js'
import { sharedWords } from '../../support/shared-words.js'

function ringing(open: (opens: number) => void = () => {}) {
  const { state } = sharedWords()
  const rung: BellRecord[] = []
  const count = { opens: 0, closes: 0 }
  const openBell = () => {
    open(count.opens++)
    const file: Pick<BellFile, 'read' | 'ring' | 'close'> = {
      read: () => rung.at(-1),
      ring: (bell) => rung.push({ ...bell }),
      close: () => count.closes++,
    }
    return file as BellFile
  }
  return { state, rung, count, bell: new BellRinger({ state, epoch: 5, openBell }) }
}

it('nothing is opened or written while nobody follows', () => {
  const { bell, rung, count } = ringing()
  for (let times = 0; times < 10; times++) bell.ring()
  expect(bell.isCalled).toBe(false)
  expect([rung.length, count.opens]).toEqual([0, 0])
})

it('whoever comes hears where the log stands, and then of every publication', () => {
  const { bell, rung, state } = ringing()
  state.published.store(4096)
  state.followerCalls.store(1)
  expect(bell.isCalled).toBe(true)
  bell.ring()
  expect(bell.isCalled).toBe(false)
  state.published.store(8192)
  bell.ring()
  expect(rung).toEqual([
    { sequence: 1, epoch: 5, published: 4096, trim: 0 },
    { sequence: 2, epoch: 5, published: 8192, trim: 0 },
  ])
})

it('when all are gone the file is closed, and who comes then gets a new number', () => {
  const { bell, rung, state, count } = ringing()
  state.followerCalls.store(1)
  bell.ring()
  state.followerCalls.store(0)
  bell.ring()
  bell.ring()
  expect(rung).toHaveLength(1)
  expect(count.closes).toBe(1)
  state.followerCalls.store(1)
  bell.ring()
  expect(rung.map(({ sequence }) => sequence)).toEqual([1, 2])
})

it('a bell that cannot be written is no failure of the log, and is tried again at the next call', () => {
  const { bell, rung, state } = ringing((opens) => {
    if (opens === 0) throw Object.assign(new Error('no'), { code: 'EACCES', errno: -13 })
  })
  state.followerCalls.store(1)
  bell.ring()
  bell.ring()
  expect(rung).toEqual([])
  state.followerCalls.store(2)
  bell.ring()
  expect(rung).toHaveLength(1)
})

import { expect, it } from 'vitest'
import { Reused } from '../../src/collections/reused.js'

it('makes an object where there is none to be used again', () => {
  let made = 0
  const list = new Reused(() => ({ number: made++ }))
  expect([list.add(), list.add(), list.add()].map(({ number }) => number)).toEqual([0, 1, 2])
  list.cut(1)
  expect([list.length, list.at(0).number]).toEqual([1, 0])
  expect([list.add(), list.add(), list.add()].map(({ number }) => number)).toEqual([1, 2, 3])
  expect(made).toBe(4)
})

import { expect, test } from 'vitest'
import { topWords } from '../../examples/word-count/top-words.js'

test('the most frequent come first, equal ones by name', () => {
  const words = new Map([
    ['d', 1],
    ['c', 5],
    ['b', 5],
    ['a', 2],
    ['e', 9],
  ])
  expect(topWords(words, 4)).toEqual([
    { word: 'e', count: 9 },
    { word: 'b', count: 5 },
    { word: 'c', count: 5 },
    { word: 'a', count: 2 },
  ])
  expect(topWords(new Map(), 3)).toEqual([])
})

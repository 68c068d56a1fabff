import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TopicNames } from '../../examples/word-count/topic-names.js'

const VALID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/

function namesFor(...sources: string[]): string[] {
  const names = new TopicNames()
  return sources.map((source) => names.nameFor(source))
}

describe('TopicNames', () => {
  test('makes dots of folders and underscores of what a name may not hold', () => {
    expect(namesFor('a/b c/d+e.log')).toEqual(['a.b_c.d_e.log'])
  })

  test('drops what leads to a name that is not allowed', () => {
    expect(namesFor('.hidden', '@scope/index.js', '../up.log')).toEqual(['hidden', 'scope.index.js', 'up.log'])
  })

  test('has a name for a source whose own has nothing to offer', () => {
    expect(namesFor('', '...', '日本')).toEqual(['source', 'source-2', 'source-3'])
  })

  test('tells sources apart that look the same, also by their case', () => {
    expect(namesFor('a/b', 'a.b', 'A/B')).toEqual(['a.b', 'a.b-2', 'A.B-3'])
  })

  test('shortens long names, keeps their ends, and keeps them apart', () => {
    const names = namesFor(`${'x/'.repeat(300)}one.log`, `${'y/'.repeat(300)}one.log`, `${'x/'.repeat(300)}one.log`)
    expect(new Set(names).size).toBe(3)
    for (const name of names) {
      expect(name.length).toBeLessThanOrEqual(200)
      expect(name).toMatch(/one\.log(-2)?$/)
    }
  })

  test('gives the same names to the same sources again', () => {
    const sources = ['a/b', 'a.b', 'z'.repeat(500)]
    expect(namesFor(...sources)).toEqual(namesFor(...sources))
  })

  test('is valid and unique whatever the sources are called', () => {
    const name = fc.oneof(
      fc.string({ maxLength: 400 }),
      fc.string({ unit: fc.constantFrom('a', 'A', '.', '/', '-', '2') }),
    )
    fc.assert(
      fc.property(fc.array(name, { maxLength: 30 }), (sources) => {
        const names = namesFor(...sources)
        expect(names.every((topic) => VALID.test(topic))).toBe(true)
        expect(new Set(names.map((topic) => topic.toLowerCase())).size).toBe(sources.length)
      }),
    )
  })
})

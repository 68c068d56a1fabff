import { expect, it } from 'vitest'
import { tagOf } from '../../../src/format/key-tag.js'
import { SoughtKeys } from '../../../src/storage/read/sought-keys.js'
import { Seeded } from '../../support/seeded.js'

const utf8 = (text: string) => new TextEncoder().encode(text)

it('keys lie in rows by their tags, those of one tag side by side, and each is found once', () => {
  const random = new Seeded(1)
  for (const count of [0, 1, 2, 3, 100, 5_000]) {
    const names = Array.from({ length: count }, () => `key-${random.below(2 * count)}`)
    if (count > 2) names.splice(random.below(count - 1), 2, 'plumless', 'buckeroo')
    const asked = names.map((name, index) => ({ key: utf8(name), to: index }))
    const sought = new SoughtKeys(asked)
    const met = new Set<number>()
    for (const name of new Set(names)) {
      const tag = tagOf(utf8(name))
      for (let row = sought.firstOf(tag); row < sought.rows && sought.tagAt(row) === tag; row++) {
        const { key, to } = sought.keyAt(row)
        if (Buffer.compare(key, utf8(name)) !== 0) continue
        expect(names[to]).toBe(name)
        expect(sought.isOpen(row)).toBe(true)
        sought.found(row, to)
        met.add(to)
      }
    }
    expect(met.size).toBe(count)
    expect(sought.open).toBe(0)
    expect([...sought.newest]).toEqual(names.map((_, index) => index))
    const strangers = Array.from({ length: 200 }, (_, index) => tagOf(utf8(`other-${index}`)))
    const tags = new Set(names.map((name) => tagOf(utf8(name))))
    for (const tag of strangers) expect(sought.firstOf(tag) >= 0).toBe(tags.has(tag))
  }
})

import { expect, it } from 'vitest'
import { HeaderHasher, headerHash } from '../../../src/format/header-hash.js'
import { endOfString } from '../../../src/format/stored-headers.js'
import { HeaderRows } from '../../../src/storage/side/header-rows.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
const hashOf = (value: string) => {
  const stored = utf8(JSON.stringify(value))
  return headerHash(stored, 0, stored.length)
}
const text = (random: Seeded) =>
  Array.from({ length: random.below(9) }, () => random.pick(['a', 'b', '"', '\\', 'ß', '\n', '{', ',', ':'])).join('')

it('a value has the hash that is looked for, and ends where its string does, whatever is in it, and wherever it is cut off', () => {
  const hasher = new HeaderHasher()
  for (const seed of seedsFrom(1, 300)) {
    const random = new Seeded(seed)
    const value = text(random)
    const bytes = utf8(`x${JSON.stringify(value)},"behind"`)
    const end = random.chance(0.5) ? bytes.length : random.below(bytes.length + 1)
    const valueEnd = endOfString(bytes, 1, end)
    expect(hasher.read(bytes, 1, end), `seed ${seed}`).toBe(valueEnd)
    if (valueEnd >= 0) expect(hasher.hash).toBe(hashOf(value))
  }
})

it('each record has one row in each header that it has, whatever form its JSON has; of what is cut off, at most what it had', () => {
  const names = ['type', 'ty', 'Größe "1"', '']
  for (const seed of seedsFrom(1, 5)) {
    const random = new Seeded(seed)
    const found = new HeaderRows(names)
    const given: { headers: Map<string, string>; isCut: boolean }[] = []
    // More than rows have room for at first.
    while (given.length < 1_200) {
      const names = ['type', 'ty', 'Größe "1"', '', 'other', 'types']
      const headers = new Map(names.filter(() => random.chance(0.6)).map((name) => [name, text(random)]))
      const json = JSON.stringify(Object.fromEntries(headers))
      const form = random.below(4)
      // The space comes behind all that was found already.
      const written = utf8(form === 0 ? json.slice(0, -1) : form === 1 ? json.replace(/}$/, ' }') : json)
      found.add(new Uint8Array([...utf8('key'), ...written]), 3, 3 + written.length, given.length)
      given.push({ headers, isCut: form === 0 })
    }
    found.byHeader.forEach(({ name, rows: { words } }) => {
      const byOrdinal = new Map<number, number>()
      for (let at = 0; at < words.length; at += 2) byOrdinal.set(words[at + 1], words[at])
      expect(byOrdinal.size, `seed ${seed}`).toBe(words.length / 2)
      given.forEach(({ headers, isCut }, ordinal) => {
        const value = headers.get(name)
        if (!isCut || byOrdinal.has(ordinal))
          expect(byOrdinal.get(ordinal)).toBe(value === undefined ? undefined : hashOf(value))
      })
    })
  }
})

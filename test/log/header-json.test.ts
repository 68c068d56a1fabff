import { expect, it } from 'vitest'
import { headerJson } from '../../src/log/header-json.js'

const texts = [
  '',
  'id-7',
  'a"b',
  'a\\b',
  '\n',
  '\u007f',
  'é',
  '\u2028',
  '\u{1f600}',
  '\ud800',
  '__proto__',
  'x'.repeat(120),
  'y'.repeat(300),
]

it.each(texts)('is what JSON.stringify says, for any name and value (%j)', (text) => {
  for (const other of texts)
    for (const [names, values] of [
      [[text], [other]],
      [
        [`1${text}`, other],
        ['one', text],
      ],
    ]) {
      const headers = Object.fromEntries(names.map((name, index) => [name, values[index]]))
      if (Object.keys(headers).length < names.length) continue
      expect(Buffer.from(headerJson(names, values)).toString()).toBe(Buffer.from(JSON.stringify(headers)).toString())
    }
})

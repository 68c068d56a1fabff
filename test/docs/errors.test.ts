import { expect, it } from 'vitest'
import { errorCodes } from '../../src/errors.js'
import { readText } from './repository.js'

const document = readText('docs/errors.md')
const sections = document.split(/^## /m).slice(1)

it('every error code has a heading in docs/errors.md, and every heading a code', () => {
  const headings = sections.map((section) => section.slice(0, section.indexOf('\n')))
  expect(headings.sort()).toEqual([...errorCodes].sort())
})

it.each(sections.map((section) => [section.slice(0, section.indexOf('\n')), section]))(
  '%s says when it comes and what to do',
  (_code, section) => {
    expect(section).toContain('*When.*')
    expect(section).toContain('*What to do.*')
  },
)

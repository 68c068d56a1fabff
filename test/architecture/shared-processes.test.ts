import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { mockingFiles } from '../support/mocking-files.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const mock = `vi.${'mock'}(`

it('what puts a module in the place of another shares its process with no other file', () => {
  const files = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join('test', name))
  expect(files.filter((name) => readFileSync(path.join(root, name), 'utf8').includes(mock)).toSorted()).toEqual(
    mockingFiles,
  )
})

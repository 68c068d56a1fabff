import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { assetPaths } from '../../../src/cli/inspect/assets.js'

const page = path.join(import.meta.dirname, '../../../dist/src/cli/inspect/page')

it('whatever a file of the page imports of its own is served: one that is missing leaves the page empty', () => {
  const imported = readdirSync(page)
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => [...readFileSync(path.join(page, name), 'utf8').matchAll(/from '(\.[^']+)'/g)])
    .map(([, file]) => new URL(file, 'http://inspector/page/').pathname)
  expect(imported).toContain('/page/parts.js')
  expect(imported.filter((file) => !assetPaths.includes(file))).toEqual([])
})

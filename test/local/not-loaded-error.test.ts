import { execFile } from 'node:child_process'
import { cpSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { BookendError } from '../../src/errors.js'
import { notLoadedError } from '../../src/local/not-loaded-error.js'
import { failureOf, temporaryFolder } from '../scenarios/support.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

it('a program without the files of the threads is told how to be bundled', async () => {
  const folder = temporaryFolder()
  for (const name of ['dist/src', 'package.json'])
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true })
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  const library = pathToFileURL(path.join(folder, 'dist/src/index.js'))
  const program = `import { open } from ${JSON.stringify(library.href)}
    await open('./log')`
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: folder })
  const { stderr } = await failureOf(() => run)
  expect(stderr).toContain('BOOKEND_WORKER')
  expect(stderr).toContain('see docs/recipes/bundlers.md')
})

it('a bundle in CommonJS has no import.meta.url, and is told the same', () => {
  const failure = (() => {
    try {
      return new URL('../../workers/writer.cjs', undefined)
    } catch (error) {
      return error
    }
  })()
  expect(notLoadedError(failure)).toMatchObject({ code: 'BOOKEND_WORKER', cause: failure })
  expect(notLoadedError(failure)?.message).toContain('bundlers.md')
})

it('other failures are left as they are', () => {
  const death = new BookendError('BOOKEND_WORKER', 'ended', {
    cause: Object.assign(new Error('x'), { code: 'ENOSPC' }),
  })
  for (const error of [death, new Error('x'), undefined, Object.assign(new Error('x'), { code: 'EACCES' })])
    expect(notLoadedError(error)).toBeUndefined()
})

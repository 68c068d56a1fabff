import { execFile } from 'node:child_process'
import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { documents, makeApplication, root } from '../docs/repository.js'
import { Running, snippetsOf, writeFile } from './snippet.js'

const options = {
  strict: true,
  target: 'es2022',
  module: 'nodenext',
  lib: ['es2023', 'esnext.disposable', 'dom'],
  types: ['node'],
  noUnusedLocals: false,
  skipLibCheck: true,
  rootDir: '.',
  outDir: 'out',
}

const snippets = documents().flatMap((page, place) =>
  snippetsOf(page, 'ts').map((snippet, number) => ({ page, ...snippet, path: `page-${place}/snippet-${number}` })),
)
let folder: string

beforeAll(() => {
  folder = makeApplication()
  symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'), 'dir')
  writeFile(folder, 'package.json', '{ "type": "module" }')
  for (const { text, path } of snippets) {
    // Those that begin in the middle are about the other engine.
    const isWhole = /^import /m.test(text)
    writeFile(folder, `${path}.ts`, isWhole ? text : `import { open } from 'bookend/jetstream'\n${text}`)
  }
  writeFile(folder, 'tsconfig.json', JSON.stringify({ compilerOptions: options, include: ['page-*/*.ts'] }))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('the TypeScript of the documents compiles', async () => {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const compiled = promisify(execFile)(process.execPath, [compiler, '-p', folder], { cwd: folder })
  const complaints = await compiled.then(({ stdout }) => stdout).catch(({ stdout }) => stdout)
  expect(complaints).toBe('')
})

it('and what can run does what it says', async () => {
  const printing = snippets.filter(({ prints }) => prints !== undefined)
  expect(printing.length).toBeGreaterThan(0)
  for (const { path, prints } of printing) {
    const program = new Running(join(folder, 'out', `${path}.js`), [], folder)
    expect([await program.ended(), program.errors, program.output]).toEqual([0, '', prints])
  }
})

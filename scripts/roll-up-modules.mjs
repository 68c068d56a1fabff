#!/usr/bin/env node
// The code that the package is published with: the product's modules in a few files, in the place of those of all modules. A thread takes 100 ms
// and 10 MB less to load them so. Threads that run nothing of the application have one file each, with copies of what others have too: 10 ms less
// again of an opening, which waits for two of them; in CommonJS, as a thread that meets no ES module sets up no loader of them: 4 to 10 ms more. Where code of the application runs there must be one copy: of errors, above all.
// Needs the built modules. `npm pack` leaves these files alone; `npm run build` puts them beside the modules (`--beside`), which tests load one by one.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rollup } from 'rollup'

const isBeside = process.argv.includes('--beside')
const root = fileURLToPath(new URL('../', import.meta.url))
const dist = path.join(root, 'dist')
const { exports, bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))

/** Paths below `dist/`, as all names here. */
const modulesIn = (folder) =>
  readdirSync(path.join(dist, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/')))
/** Served to browsers, file by file. */
const isServed = (name) => name.startsWith('src/cli/inspect/page/') || name === 'src/cli/units.js'
const product = modulesIn('src').filter((name) => !name.startsWith('src/cli/inspect/page/'))
const workers = modulesIn('workers')
const published = [...Object.values(exports).map((entry) => entry.default), ...Object.values(bin)]
  .flatMap((file) => (file === undefined ? [] : [file.replace(/^(\.\/)?dist\//, '')]))
  .filter((name) => product.includes(name))
/** Modules that are loaded by their place. */
const placed = [...product, ...workers].flatMap((name) => {
  const code = readFileSync(path.join(dist, name), 'utf8')
  const places = code.matchAll(/new URL\('(\.[^']+\.js)', import\.meta\.url\)/g)
  return Array.from(places, ([, place]) => path.posix.join(path.posix.dirname(name), place))
})
/** Threads with a file of their own, which begin with the CommonJS of the same name. */
const alone = ['workers/writer.js', 'workers/reaper.js', 'workers/follower.js']
const together = new Set([...published, ...workers, ...placed.filter((name) => product.includes(name))])
for (const name of alone) if (!together.delete(name)) throw new Error(`${name} is no entry`)

const output = [await filesOf([...together]), ...(await Promise.all(alone.map((name) => filesOf([name]))))].flat()
rmSync(path.join(dist, 'src/chunks'), { recursive: true, force: true })
if (!isBeside) for (const name of [...product, ...workers]) if (!isServed(name)) rmSync(path.join(dist, name))
for (const { fileName, code, source } of output) {
  mkdirSync(path.dirname(path.join(dist, fileName)), { recursive: true })
  writeFileSync(path.join(dist, fileName), code ?? source)
}

async function filesOf(entries) {
  const isAlone = entries.length === 1
  const ending = isAlone ? 'cjs' : 'js'
  const bundle = await rollup({
    input: Object.fromEntries(entries.map((name) => [name.slice(0, -'.js'.length), path.join(dist, name)])),
    external: (name) => !name.startsWith('.') && !path.isAbsolute(name),
    // Everything is in use, and modules that are run for what they do stay.
    treeshake: false,
    // What a thread loads later takes the rest from the thread's file.
    preserveEntrySignatures: isAlone ? false : 'exports-only',
    plugins: [{ name: 'places', resolveImportMeta }],
    // Of the compiler's helpers for `using`.
    onLog: (level, log, handle) => log.code === 'THIS_IS_UNDEFINED' || handle(level, log),
  })
  const { output } = await bundle.generate({
    dir: dist,
    format: isAlone ? 'cjs' : 'es',
    sourcemap: isBeside,
    entryFileNames: `[name].${ending}`,
    chunkFileNames: `src/chunks/[name]-[hash].${ending}`,
  })
  await bundle.close()
  return output
}

/** A module finds what is beside it from where it was, not from where its code is now. */
function resolveImportMeta(property, { chunkId, moduleId, format }) {
  if (property !== 'url') return null
  const place = path.relative(path.dirname(path.join(dist, chunkId)), moduleId).replaceAll(path.sep, '/')
  const own = format === 'cjs' ? "require('node:url').pathToFileURL(__filename)" : 'import.meta.url'
  return `new URL(${JSON.stringify(place)}, ${own}).href`
}

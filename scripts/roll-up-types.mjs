#!/usr/bin/env node
// The declarations that the package is published with: one file for each of its entries, in the place of those of all modules, and one for what
// several entries share. What is private has no types there, and nobody's compiler reads them. Needs the built product; run by `npm pack`.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'

const root = fileURLToPath(new URL('../', import.meta.url))
const dist = path.join(root, 'dist')
const { exports, peerDependencies = {} } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const types = Object.values(exports).flatMap((entry) => entry.types ?? [])
const input = Object.fromEntries(
  types.map((file) => [file.slice('./dist/'.length, -'.d.ts'.length), path.join(root, file)]),
)
const bundle = await rollup({ input, external: /^[^./]/, plugins: [dts()] })
const { output } = await bundle.generate({
  format: 'es',
  entryFileNames: '[name].d.ts',
  chunkFileNames: 'src/shared-types.d.ts',
})
await bundle.close()
// What an entry needs of another package is that of a peer, which its user has.
const foreign = output.flatMap(({ imports }) => imports).filter((name) => !name.startsWith('src/') && !isKnown(name))
if (foreign.length > 0) throw new Error(`the public types are not whole: ${foreign}`)
for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }))
  if (/\.d\.c?ts$/.test(name)) rmSync(path.join(dist, name))
// Who compiles for an older library has no Symbol.asyncDispose of his own.
for (const { fileName, code } of output)
  writeFileSync(path.join(dist, fileName), `/// <reference lib="esnext.disposable" />\n${code}`)

function isKnown(name) {
  return (
    name.startsWith('node:') ||
    Object.keys(peerDependencies).some((peer) => name === peer || name.startsWith(`${peer}/`))
  )
}

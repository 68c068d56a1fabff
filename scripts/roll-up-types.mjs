#!/usr/bin/env node
// The declarations that the package is published with: one file for its public face, in the place of those of all modules. What is private has
// no types there, and nobody's compiler reads them. Needs the built product; run by `npm pack`.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const entry = path.join(dist, 'src', 'index.d.ts')
const bundle = await rollup({ input: entry, plugins: [dts()] })
const { output } = await bundle.generate({ format: 'es' })
await bundle.close()
const [{ code }] = output
const foreign = code.match(/^import .*$/gm)
if (output.length !== 1 || foreign !== null) throw new Error(`the public types are not whole in one file: ${foreign}`)
for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }))
  if (name.endsWith('.d.ts')) rmSync(path.join(dist, name))
// Who compiles for an older library has no Symbol.asyncDispose of his own.
writeFileSync(entry, `/// <reference lib="esnext.disposable" />\n${code}`)

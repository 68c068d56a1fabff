import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { codeBlocks, makeApplication, readText, runProgram } from './repository.js'

const readme = readText('README.md')
let folder: string
let program: string

beforeAll(() => {
  folder = makeApplication()
  program = join(folder, 'example.mjs')
  writeFileSync(program, codeBlocks(readme, 'js')[0]!)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('the example of the README prints what the README says', async () => {
  const printed = (await runProgram(program, [], folder)).trim().split('\n')
  expect(printed).toEqual(['bill 0: tea', 'bill 1: cups'])
  for (const line of printed) expect(readme).toContain(`\`${line}\``)
})

it('its second run goes on where the first one stopped', async () => {
  expect(await runProgram(program, [], folder)).toBe('bill 2: tea\nbill 3: cups\n')
})

it('is read in five minutes', () => {
  const prose = readme.replaceAll(/<!-- bench:begin[\s\S]*bench:end -->|^```[\s\S]*?^```$|\]\(\S*\)/gm, ' ')
  expect(prose.split(/\s+/).length).toBeLessThan(800)
})

it('the place for the figures of the benchmark is there', () => {
  expect(readme).toMatch(/<!-- bench:begin headlines -->\n[\s\S]*<!-- bench:end -->/)
})

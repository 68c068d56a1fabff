import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { codeBlocks, makeApplication, readText, runProgram } from './repository.js'

let folder: string
let program: string

beforeAll(() => {
  folder = makeApplication()
  program = join(folder, 'example.mjs')
  writeFileSync(program, codeBlocks(readText('README.md'), 'js')[0]!)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('the example of the README prints what the README says', async () => {
  const printed = await runProgram(program, [], folder)
  expect(printed.trim().split('\n')).toEqual(['the order has offset 10000', '2500 clicks, then: order'])
  for (const line of printed.trim().split('\n')) expect(readText('README.md')).toContain(`\`${line}\``)
})

it('its second run goes on at the next offset', async () => {
  expect(await runProgram(program, [], folder)).toContain('the order has offset 20001\n')
})

it('its example of groups and queues runs, and prints what it says', async () => {
  const consuming = join(folder, 'consuming.mjs')
  writeFileSync(consuming, codeBlocks(readText('README.md'), 'js')[1]!)
  const printed = await runProgram(consuming, [], folder)
  expect(printed.trim().split('\n')).toEqual(['bill order 1', 'bill order 2', 'bill order 3', 'cat.png'])
})

it('the place for the figures of the benchmark is there', () => {
  expect(readText('README.md')).toMatch(/<!-- bench:begin -->\n[\s\S]*<!-- bench:end -->/)
})

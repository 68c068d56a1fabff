import { readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { moduleOf } from '../../bench/profile-places.js'
import { type CpuProfile, threadStage } from '../../bench/stages.js'

const frames: [functionName: string, url: string][] = [
  ['(root)', ''],
  ['(idle)', ''],
  ['wait', 'file:///x/dist/src/ring/bell.js'],
  ['cut', 'file:///x/dist/src/storage/log-tail.js'],
  ['append', 'file:///x/dist/src/storage/log-tail.js'],
  ['writeBuffers', ''],
  ['', 'file:///x/dist/workers/writer.cjs'],
]
const nodes = frames.map(([functionName, url], id) => ({
  id,
  callFrame: { functionName, url, lineNumber: 0, columnNumber: 0 },
}))

it('sums processor time by file and function, and leaves out waiting, starting and ending', () => {
  const samples = [3, 1, 2, 3, 4, 3, 5, 0, 3]
  const timeDeltas = [90, 500, 700, 10, 5, 20, 7, 99, 600]
  const profile: CpuProfile = { nodes, startTime: 1_000, samples, timeDeltas }
  expect(threadStage(profile, 1_000, { fromUs: 1_100, toUs: 3_000 })).toEqual({
    name: 'writer',
    nsPerMessage: 42,
    parts: [
      {
        name: 'storage/log-tail',
        nsPerMessage: 35,
        parts: [
          { name: 'cut', nsPerMessage: 30, parts: [] },
          { name: 'append', nsPerMessage: 5, parts: [] },
        ],
      },
      { name: 'native code', nsPerMessage: 7, parts: [{ name: 'writeBuffers', nsPerMessage: 7, parts: [] }] },
    ],
  })
})

it('says which module a function of a rolled-up file is from', () => {
  const file = fileURLToPath(new URL('../../dist/workers/writer.cjs', import.meta.url))
  const lineNumber = readFileSync(file, 'utf8').split('\n').indexOf('class BatchCutter {')
  const { href: url } = pathToFileURL(file)
  const moduleAt = (line: number) => moduleOf({ functionName: 'cut', url, lineNumber: line, columnNumber: 0 })
  expect(moduleAt(lineNumber + 1)).toMatch(/\/dist\/src\/storage\/append\/batch-cutter\.js$/)
  const notRolledUp = url.replace('/workers/writer.cjs', '/src/errors.js')
  expect(moduleOf({ functionName: 'assert', url: notRolledUp, lineNumber: 5, columnNumber: 0 })).toBe(notRolledUp)
})

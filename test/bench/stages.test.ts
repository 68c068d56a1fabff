import { expect, it } from 'vitest'
import { type CpuProfile, threadStage } from '../../bench/stages.js'

const frames: [functionName: string, url: string][] = [
  ['(root)', ''],
  ['(idle)', ''],
  ['wait', 'file:///x/dist/src/ring/bell.js'],
  ['cut', 'file:///x/dist/src/storage/log-tail.js'],
  ['append', 'file:///x/dist/src/storage/log-tail.js'],
  ['writeBuffers', ''],
  ['', 'file:///x/dist/workers/writer.js'],
]
const nodes = frames.map(([functionName, url], id) => ({ id, callFrame: { functionName, url } }))

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

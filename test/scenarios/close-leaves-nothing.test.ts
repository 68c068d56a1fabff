import { expect, it } from 'vitest'
import { report, temporaryFolder } from './support.js'

interface Left {
  uses: { during: { mapped: number }; after: { mapped: number; files: number } }[]
  areThreadsBack: boolean
  resources: string[]
  left: string[]
}

for (const io of ['mmap', 'file']) {
  it(`after close there is no mapping, no thread, no open file, no timer: the process ends by itself (io ${io})`, async () => {
    const { uses, areThreadsBack, resources, left } = await report<Left>('close-leaves-nothing.mjs', [
      io,
      temporaryFolder(),
    ])
    expect(uses.map(({ after }) => after)).toEqual(uses.map(() => ({ mapped: 0, files: 0 })))
    expect(uses.every(({ during }) => during.mapped > 0)).toBe(io === 'mmap')
    expect(areThreadsBack).toBe(true)
    expect(resources).toEqual([])
    expect(left).toEqual([])
  })
}

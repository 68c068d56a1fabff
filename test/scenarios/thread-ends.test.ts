import { expect, it } from 'vitest'
import { loadLibc } from '../../src/memory/libc.js'
import { report, temporaryFolder } from './support.js'

it.runIf(process.platform === 'linux' && !(loadLibc() instanceof Error))(
  'threads that have ended leave no mappings, neither with their log nor under it',
  async () => {
    const { cycles, cycleGrowth, threads, threadGrowth, blocks } = (await report('thread-ends.mjs', [
      temporaryFolder(),
    ])) as Record<string, number> & { blocks: { address: number; byteLength: number }[] }
    // Left alone, three threads a cycle leave three mappings each, and a reader that dies those, and its segment.
    expect(cycleGrowth).toBeLessThan(4 * cycles)
    expect(threadGrowth).toBeLessThan(threads)
    expect(blocks.map(({ byteLength }) => byteLength)).toEqual([(2 << 20) + 2 * 4096, 1 << 20])
  },
)

/** Cases of a store that is left alone, and of bytes that are moved. */
import type { BenchCase } from './bench-case.js'
import { atOnePoint, mostOneByOne } from './points.js'

const mebibyte = 1024 * 1024

export const restCases: readonly BenchCase[] = [
  {
    name: 'idle',
    section: 'At rest',
    title: 'CPU time of an open store that nobody uses',
    kind: 'idle',
    contenders: ['bookend', 'lmdb', 'better-sqlite3', 'classic-level'],
    headline: 'cpuMsPerSecond',
    better: 'less',
    points: atOnePoint(mostOneByOne),
  },
  ...(
    [
      ['transfer-file', 'to a file', ['read-write', 'mmap-write', 'sendfile', 'copy-file-range']],
      ['transfer-unix', 'to a unix socket', ['read-write', 'mmap-write', 'sendfile']],
      ['transfer-tcp', 'to TCP on this machine', ['read-write', 'mmap-write', 'sendfile']],
    ] as const
  ).map(
    ([kind, title, contenders]): BenchCase => ({
      name: kind,
      section: 'Moving bytes',
      title: `segments ${title}`,
      kind,
      contenders,
      headline: 'bytesPerSecond',
      better: 'more',
      points: (scale) => [{ messageBytes: mebibyte, parameter: 0, messages: scale.messages === undefined ? 256 : 4 }],
    }),
  ),
]

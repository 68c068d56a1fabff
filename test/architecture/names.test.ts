import { expect, it } from 'vitest'
import { linesMatching, sourceFiles } from './source-files.js'

/** Never exported, and the same in every file: what a verb of the command is told, where a machine stands. */
const everywhere = new Set(['Options', 'Stage'])
const declaration = /^(?:export )?(?:abstract )?(?:class|interface|type|enum) (?<name>\w+)/

const files = sourceFiles('src', 'workers')

it('gives no two things one name', () => {
  const places = new Map<string, string[]>()
  for (const { path, code } of files) {
    for (const line of code.split('\n')) {
      const name = declaration.exec(line)?.groups?.name
      if (name === undefined || everywhere.has(name)) continue
      places.set(name, [...(places.get(name) ?? []), path])
    }
  }
  expect(places.size).toBeGreaterThan(100)
  expect([...places].filter(([, where]) => where.length > 1)).toEqual([])
})

it('knows full disks, the largest timer and the wall clock in one place each', () => {
  const besides = (...paths: string[]) => files.filter(({ path }) => !paths.includes(path))
  expect(linesMatching(besides('src/failures.ts'), /ENOSPC|EDQUOT|EFBIG|EMFILE|ENFILE/)).toEqual([])
  expect(linesMatching(besides('src/limits.ts'), /2 \*\* 31 - 1|0x7fffffff|2_?147_?483_?647/)).toEqual([])
  // Where an engine and its threads are wired up, and where people say how long ago or see when; whoever needs it is given it.
  const wired = [
    'workers/jetstream.ts',
    'workers/reaper.ts',
    'workers/writer.ts',
    'src/jetstream/jetstream-engine.ts',
    'src/local/local-engine.ts',
    'src/local/attached/attached-engine.ts',
    'src/http/server.ts',
    'src/cli/place.ts',
    'src/cli/inspect/live.ts',
    // A stream ends at a time that lies ahead, though nothing comes any more.
    'src/log/message-stream.ts',
    'src/messages/expiry.ts',
  ]
  expect(linesMatching(besides(...wired), /\bDate\.now\b/)).toEqual([])
})

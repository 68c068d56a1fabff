import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { fixture, temporaryFolder } from './support.js'

it('where no reader thread can be started, scans fail with a code, reads are answered or do, and later ones get a thread', () => {
  const program = [process.execPath, fixture('no-reader.mjs'), temporaryFolder()]
  const { status, signal, stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -n 240 && exec "$0" "$@"', ...program], {
    encoding: 'utf8',
    timeout: 150_000,
    killSignal: 'SIGKILL',
  })
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
  const { codes, scans, values, read } = JSON.parse(stdout) as Record<'codes' | 'scans', string[]> & {
    values: number[]
    read: number
  }
  expect(scans.length).toBe(1)
  expect(scans[0]).toMatch(/^BOOKEND_(WORKER|IO)$/)
  expect(codes.length).toBe(8)
  // The reaper stands in, if it can open what it needs for that.
  for (const code of codes) expect(code).toMatch(/^(none|BOOKEND_WORKER|BOOKEND_IO)$/)
  expect({ values, read }).toEqual({ values: [6, 7, 60], read: 60 })
})

for (const io of ['mmap', 'file']) {
  it(`running out of file descriptors is an error that passes (io ${io})`, () => {
    const args = [
      '-c',
      'ulimit -n 240 && exec "$0" "$@"',
      process.execPath,
      fixture('no-descriptors.mjs'),
      io,
      temporaryFolder(),
    ]
    const { status, signal, stdout, stderr } = spawnSync('sh', args, {
      encoding: 'utf8',
      timeout: 150_000,
      killSignal: 'SIGKILL',
    })
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
    const { codes, after, read } = JSON.parse(stdout) as { codes: string[]; after: string[]; read: number }
    for (const code of codes) expect(code).toMatch(/^BOOKEND_/)
    // What could not be opened then can be read now.
    expect({ after, read }).toEqual({ after: [], read: 120 })
  })
}

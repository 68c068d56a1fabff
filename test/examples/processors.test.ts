import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parseLine } from '../../examples/log-pipeline/parse-line.js'
import { temporaryFolder } from './temporary-folder.js'

const run = async (name: string, ...args: string[]) => {
  const program = fileURLToPath(new URL(`../../dist/examples/${name}/main.js`, import.meta.url))
  return (await promisify(execFile)(process.execPath, [program, ...args])).stdout
}

describe('webhook-outbox', () => {
  it('delivers every event once, and keeps what the endpoint never takes', async () => {
    const directory = join(temporaryFolder(), 'log')
    const printed = await run('webhook-outbox', directory)
    expect(printed).toContain('stored 60 events\n')
    expect(printed).toMatch(/^delivered 54 events; the endpoint was busy 12 times/m)
    const undeliverable = printed.match(/undeliverable: event \d+, Error: the endpoint answered 422/g)
    expect(undeliverable?.map((line) => Number(line.match(/\d+/)?.[0])).sort((a, b) => a - b)).toEqual([
      7, 17, 27, 37, 47, 57,
    ])
  })
})

describe('log-pipeline', () => {
  it('parses every line of its sample', async () => {
    const printed = await run('log-pipeline')
    expect(printed).toMatch(/^parsed 20000 lines in \d+ ms\ninfo: 8000\n/)
    for (const level of ['debug', 'warn', 'error']) expect(printed).toContain(`${level}: 4000\n`)
  })

  it('parses the files it is given', async () => {
    const file = join(temporaryFolder(), 'access.log')
    const line = (status: number) => `::1 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" ${status} 2326`
    writeFileSync(
      file,
      [line(200), line(204), line(404), 'no log line', '2025-01-01T00:00:00Z CRITICAL fire'].join('\n'),
    )
    expect(await run('log-pipeline', file, file)).toMatch(/parsed 10 lines .*\nstatus 2xx: 4\n/)
  })

  it('knows the levels of common formats', () => {
    expect(parseLine('2025-01-01 00:00:00,123 WARNING disk')).toMatchObject({
      level: 'warn',
      time: '2025-01-01 00:00:00,123',
    })
    expect(parseLine('nothing of the kind')).toMatchObject({ level: 'other', time: undefined })
  })
})

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Unavailable } from '../../bench/contenders/contender.js'
import { runCourse } from '../../bench/contenders/java.js'
import { compileJava } from '../../bench/java-packages.js'
import type { Job, JobKind } from '../../bench/job.js'

const hasJava = spawnSync('javac', ['-version']).status === 0
const folders = ['../../bench/java', '../fixtures/java'].map((path) => fileURLToPath(new URL(path, import.meta.url)))

// Without a JDK there are no peers in Java either.
describe.skipIf(!hasJava)('the courses of stores in Java', () => {
  let classes: string
  beforeAll(() => {
    classes = mkdtempSync(`${tmpdir()}/bookend-java-`)
    expect(compileJava(folders, '', classes)).toBeUndefined()
  })
  afterAll(() => rmSync(classes, { recursive: true, force: true }))

  const run = (kind: JobKind, more: Partial<Job> = {}) =>
    runCourse(
      {
        kind,
        contender: 'chronicle-queue',
        directory: 'lists',
        packageDirectory: '',
        level: 'process',
        messages: 1000,
        messageBytes: 100,
        parameter: 1,
        warmupMessages: 100,
        warmupSeconds: 0,
        seconds: 0.1,
        ratePerSecond: 1000,
        ...more,
      },
      'ListStore',
      classes,
    )

  it.each(['append', 'read', 'scan', 'get', 'get-many', 'in-flight'] as const)(
    '%s: of so many messages',
    async (kind) => {
      const { figures } = await run(kind)
      expect(figures).toMatchObject({ messages: 1000, bytes: 100_000 })
      expect(figures.messagesPerSecond).toBeGreaterThan(0)
      expect(figures.toUs).toBeGreaterThanOrEqual(figures.fromUs!)
    },
  )

  it('append of several threads counts what all of them appended', async () => {
    expect((await run('threads', { parameter: 4 })).figures).toMatchObject({ messages: 1000 })
  })

  it.each([
    ['latency', 1000],
    ['follow', 100],
  ] as const)('%s: a time for each message', async (kind, samples) => {
    const { figures, histogram } = await run(kind)
    expect(figures).toMatchObject({ samples, messages: samples })
    expect(histogram).toBeTypeOf('string')
  })

  it('what a store does not offer is no failure, and what fails says why', async () => {
    await expect(run('scan', { parameter: 2 })).rejects.toThrow(Unavailable)
    await expect(run('in-flight', { parameter: 10 })).rejects.toThrow(Unavailable)
    await expect(run('mixed')).rejects.toThrow(Unavailable)
    await expect(run('append', { level: 'disk' })).rejects.toThrow('lists are not durable')
  })
})

import { open } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, openLog, small, start, temporaryFolder } from '../scenarios/support.js'

it('a second owner in the same process is refused at once, and the first goes on', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic('t')
  for (let attempt = 0; attempt < 3; attempt++) {
    const error = await codedFailureOf(() => open(directory, small))
    expect(error.code).toBe('BOOKEND_LOCKED')
    expect(error.message).toContain(directory)
    expect(error.message).toContain(`pid ${process.pid}`)
    expect(error.message).toContain('in this process')
    expect(error.message).toContain('globalThis')
    expect(await topic.append(new Uint8Array(1))).toBe(attempt)
  }
  await log.close()
  const next = await openLog(directory)
  expect(await next.topic('t').bounds()).toEqual({ first: 0, next: 3 })
})

it('of several who open at the same time one gets the log', async () => {
  const directory = temporaryFolder()
  const results = await Promise.allSettled(Array.from({ length: 3 }, () => open(directory, small)))
  const logs = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
  expect(logs.length).toBe(1)
  expect(codes).toEqual(['BOOKEND_LOCKED', 'BOOKEND_LOCKED'])
  // Also while nobody has signed yet.
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason.message).toContain('already open in this process')
  await logs[0].close()
})

it('another process that owns the log is named, and once it is killed the log is free at once', async () => {
  const directory = temporaryFolder()
  for (let round = 1; round <= 3; round++) {
    const owner = start('hold-log.mjs', [directory])
    await owner.says('ready')
    const error = await codedFailureOf(() => open(directory, small))
    expect(error.code).toBe('BOOKEND_LOCKED')
    expect(error.message).toContain(`pid ${owner.process.pid} `)
    expect(error.message).toContain('another owner')
    owner.process.kill('SIGKILL')
    await owner.ended
    const log = await openLog(directory)
    expect(await log.topic('t').bounds()).toEqual({ first: 0, next: 10 * round })
    await log.close()
  }
})

it('a failed open leaves nothing locked', async () => {
  const directory = temporaryFolder()
  await (await openLog(directory)).close()
  await expect(open(directory, { segmentBytes: 2 << 20 })).rejects.toBeInstanceOf(RangeError)
  await (await openLog(directory)).close()
})

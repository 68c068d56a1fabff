import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { bookend, bookendJson, small, temporaryFolder } from './command.js'

interface Listed {
  groups: { topic: string; group: string; of: string; committed: number; next: number; lag: number }[]
}

async function usedLog() {
  const directory = temporaryFolder()
  const owner = await open(directory, small)
  onTestFinished(() => owner.close())
  for (let number = 0; number < 20; number++) await owner.topic('t').append(new Uint8Array(8))
  const follower = await open(directory, { readOnly: true, follow: true, readers: 1 })
  onTestFinished(() => follower.close())
  for (const [log, count] of [
    [owner, 15],
    [follower, 4],
  ] as const) {
    let left: number = count
    for await (const delivery of log.topic('t').group('g').consume()) {
      await delivery.ack()
      left -= 1
      if (left === 0) break
    }
  }
  return { directory, owner, follower }
}

it('lists the groups of the log and of followers, with their lag as of now, while it is in use', async () => {
  const { directory } = await usedLog()
  const { json } = await bookendJson<Listed & Record<string, never>>('groups', directory)
  expect(json.groups).toEqual([
    { topic: 't', group: 'g', of: 'log', committed: 15, next: 20, lag: 5 },
    { topic: 't', group: 'g', of: 'follower', committed: 4, next: 20, lag: 16 },
  ])
  const { out } = await bookend(['groups', directory])
  expect(out).toMatch(/^t +g +log +15 +20 +5$/m)
  expect(out).toMatch(/^t +g +follower +4 +20 +16$/m)
})

it('forgets a group that nobody has, and refuses with who has it', async () => {
  const { directory, owner, follower } = await usedLog()
  const refused = await bookend(['groups', directory, '--remove', 'g'])
  expect(refused.status).toBe(3)
  expect(refused.errors).toContain('BOOKEND_LOCKED')
  await owner.close()
  // The log is free now, and the follower is not: what is the log's own goes, what is in use stays.
  const half = await bookend(['groups', directory, '--remove', 'g'])
  expect(half.errors).toContain(`process ${process.pid}`)
  await follower.close()
  expect((await bookend(['groups', directory, '--remove', 'g'])).out).toContain('Forgot 1 group')
  expect((await bookend(['groups', directory])).out).toBe('no groups\n')
  expect((await bookend(['groups', directory, '--remove', 'g'])).status).toBe(1)
})

it('stat and pages say what is published, not what the control file last said', async () => {
  const directory = temporaryFolder()
  const owner = await open(directory, { ...small, flushIntervalMs: 3_600_000 })
  onTestFinished(() => owner.close())
  for (let number = 0; number < 100; number++) await owner.topic('t').append(new Uint8Array(20_000))
  const { published } = owner.stats().positions
  const stat = await bookendJson<{ positions: { published: number } } & Record<string, never>>('stat', directory)
  expect(stat.json.positions.published).toBe(published)
  const pages = await bookendJson<{ published: number } & Record<string, never>>('pages', directory)
  expect(pages.json.published).toBe(published)
})

import { existsSync } from 'node:fs'
import path from 'node:path'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, temporaryFolder } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const scanModule = new URL('../../fixtures/scan-sum.mjs', import.meta.url)
const handlers = new URL('../../fixtures/handler-records.mjs', import.meta.url)

onEveryEngine(({ open, supports }) => {
  it('what an engine cannot do is BOOKEND_UNSUPPORTED, says where and what, and nothing is written', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    const queue = log.queue('q', { codec: text })
    const target = path.join(temporaryFolder(), 'backup')
    const disk = { durability: 'disk' } as const
    const refused: [string, boolean, () => unknown][] = [
      ["the level 'disk'", supports.disk, () => topic.append('a', disk)],
      ["the level 'disk'", supports.disk, () => topic.appendMany(['a', 'b'], disk)],
      ["the level 'disk'", supports.disk, () => topic.offer('a', disk)],
      ["the level 'disk'", supports.disk, () => queue.push('a', disk)],
      ["the level 'disk'", supports.disk, () => log.flush('disk')],
      ["the level 'disk'", supports.disk, () => log.flushSync('disk')],
      ['flushSync()', supports.local, () => log.flushSync()],
      ['backup()', supports.local, () => log.backup(target)],
      ['segments()', supports.local, () => log.segments()],
      ['residency()', supports.local, () => log.residency()],
      ['retention', supports.retention, () => log.topic('t', { retention: { maxBytes: 1 } })],
      [
        supports.retention ? 'retention.compact' : 'retention',
        log.supports.compaction,
        () => log.topic('t', { retention: { compact: true } }),
      ],
      ['index', log.supports.indexes, () => log.topic('t', { index: { keys: true } })],
      ['transactions', supports.transactions, () => log.transaction((tx) => tx.append(topic, 'a'))],
      ['registers', supports.transactions, () => log.register('r')],
      ['producers', supports.transactions, () => log.producer('p')],
      ['scheduled messages', log.supports.schedules, () => topic.schedule('a', { delayMs: 1 })],
      ['scheduled messages', log.supports.schedules, () => queue.push('a', { delayMs: 1 })],
      ['scheduled messages', log.supports.schedules, () => queue.every('a', { everyMs: 1_000 }, 'a')],
      ['scheduled messages', log.supports.schedules, () => log.scheduled()],
      ['durableRetries', log.supports.schedules, () => queue.work(() => {}, { durableRetries: true, retries: 1 })],
      ['expectedVersion', log.supports.expectedVersion, () => topic.append('a', { key: 'a', expectedVersion: 'none' })],
      ['ttlMs and expiresAt', log.supports.expiry, () => topic.append('a', { ttlMs: 1 })],
      ['messages by key', log.supports.keys, () => topic.last('key')],
      ['messages by key', log.supports.keys, () => topic.byKey('key')],
      ['where of groups', log.supports.filteredGroups, () => topic.group('g', { where: { kind: 'a' } })],
      ['port()', supports.local, () => log.port()],
      ['scan()', supports.scan, () => topic.scan(scanModule)],
      ['process()', supports.process, () => topic.group('g').process(handlers)],
    ]
    for (const [what, isSupported, call] of refused) {
      if (isSupported) continue
      const error = await codedFailureOf(call)
      expect(error.code, String(call)).toBe('BOOKEND_UNSUPPORTED')
      expect(error.message).toContain(what)
      expect(error.message).toContain(log.directory)
    }
    expect(existsSync(target)).toBe(false)
    if (refused.some(([, isSupported]) => !isSupported)) expect(await log.topics()).toEqual([])
    expect(await topic.group('g').position()).toEqual({ committed: 0, next: 0, lag: 0, skipped: 0 })
    expect(await topic.append('first')).toBe(0)
  })
})

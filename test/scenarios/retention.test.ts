import { type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { openFiles } from '../fixtures/mappings.mjs'
import { codedFailureOf, collect, openLog, report, segmentNames, temporaryFolder, until } from './support.js'

const mib = 1 << 20

async function fill(log: Log, topic: string, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await log.topic(topic).append(new Uint8Array(40_000).fill(number))
}

it('messages go by age and by size, with whole segments, and a reader that is overtaken is told', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory, { flushIntervalMs: 20, retention: { maxBytes: 2 * mib } })
  const topic = log.topic('t')
  await fill(log, 't', 26)
  const stream = topic.read()
  await stream.next()
  await fill(log, 't', 200)
  await until('four segments are left', () => segmentNames(directory).filter((name) => name).length <= 4 + 2)
  const { first, next } = await topic.bounds()
  expect(next).toBe(226)
  expect((next - first) * 40_000).toBeGreaterThan(2 * mib)
  expect((await collect(topic.read())).map(({ offset, value }) => [offset, value[39_999]])).toEqual(
    Array.from({ length: next - first }, (_, index) => [first + index, first + index - 26]),
  )
  const error = await codedFailureOf(async () => {
    while (!(await stream.next()).done);
  })
  expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', topic: 't', first })
  expect(await topic.get(first - 1)).toBeUndefined()
  // Reopened without retention: what is gone stays gone, the rest stays.
  await log.close()
  log = await openLog(directory)
  expect(await log.topic('t').bounds()).toEqual({ first, next })
  await fill(log, 't', 60)
  expect((await log.topic('t').bounds()).first).toBe(first)
  // A topic's own retention is in force from the call on.
  log.topic('t', { retention: { maxAgeMs: 1 } })
  await until('only the active segment is left', async () => log.stats().segments.oldestKeptBecause === 'active')
  const bounds = await log.topic('t').bounds()
  expect(bounds.next).toBe(next + 60)
  expect((await collect(log.topic('t').read())).map(({ offset }) => offset)).toEqual(
    Array.from({ length: bounds.next - bounds.first }, (_, index) => bounds.first + index),
  )
})

it('segments() and stats() say of each segment why it is there, and who needs it', async () => {
  const log = await openLog(temporaryFolder(), { flushIntervalMs: 20, retention: { maxBytes: 0 } })
  log.topic('kept', { retention: {} })
  await fill(log, 'kept', 20)
  await fill(log, 'other', 60)
  await until('the oldest is kept for a topic', () => log.stats().segments.oldestKeptBecause === 'needed')
  expect(log.stats().segments.oldestKeptBy).toBe('kept')
  await until('all but the tail is indexed', async () =>
    (await log.segments()).every(({ because }) => because !== 'unflushed' && because !== 'deleting'),
  )
  const segments = await log.segments()
  expect(segments[0]).toMatchObject({
    position: 0,
    state: 'sealed',
    because: 'needed',
    neededBy: ['kept'],
    neededByCount: 1,
  })
  expect(segments[1]).toMatchObject({ because: 'order', neededBy: [], needs: [] })
  for (const { state, rewriting, packing, rewrites } of segments) {
    if (state !== 'sealed') expect([rewriting, packing]).toEqual([undefined, undefined])
    else if (rewrites > 0) expect(rewriting?.state).toBe('clean')
  }
  expect(segments[0].rewriting).toMatchObject({ state: 'few' })
  expect(segments[0].rewriting?.deadBytes).toBeGreaterThan(200_000)
  // Each part of retention says what it waits for.
  const day = 86_400_000
  const parts = { consumed: true, maxAgeMs: day, maxBytes: 100 * mib }
  const kept = log.topic('kept', { retention: parts })
  const delivered = kept.group('slow').consume({ from: 'first' })
  await delivered.next()
  const [oldest] = await log.segments({ limit: 1 })
  expect(oldest.needs).toEqual([
    { topic: 'kept', until: (oldest.lastTime ?? 0) + day, bytesToCome: 100 * mib, group: 'slow', tombstones: 0 },
  ])
  await delivered.return?.()
  expect(segments.find(({ state }) => state === 'active')).toMatchObject({ because: 'active' })
  expect(segments.filter(({ state }) => state === 'prepared').every(({ because }) => because === 'prepared')).toBe(true)
  const last = (await log.topic('kept').get(19))?.timestamp ?? 0
  expect(segments[0].lastTime).toBeGreaterThanOrEqual(last)
  expect(await log.segments({ limit: 1 })).toEqual([expect.objectContaining({ position: 0 })])
  // Long batches need no mapping; when there are no more of them, the active segment has one.
  await until('the writer maps the active segment', async () =>
    (await log.segments()).some(
      ({ state, mappedBy }) => state === 'active' && mappedBy.some(({ thread }) => thread === 'writer'),
    ),
  )
})

it('without mapping, too, deleted segments give their space back while nobody does anything', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory, { io: 'file', flushIntervalMs: 20, readers: 2 })
  const topic = log.topic('t')
  await fill(log, 't', 200)
  await Promise.all([collect(topic.read()), topic.getMany([0, 50, 100, 150])])
  expect(openFiles(directory).length).toBeGreaterThan(2)
  await topic.trim(200)
  await until('the segments are deleted', () => log.stats().segments.deleted > 5)
  await until('no deleted file is open', () => openFiles(directory).every((target) => !target.endsWith(' (deleted)')))
})

it('above the watermark appends fail with BOOKEND_NO_SPACE, trims and reads work, and reopened it all goes on', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  await log.topic('t', { codec: text }).appendMany(['a', 'b', 'c'])
  await log.close()
  log = await openLog(directory, { diskWatermarks: { refuseAppendsAt: 1e-9 } })
  const topic = log.topic('t', { codec: text })
  await until('appends are refused', async () => {
    const outcome = await topic.append('d').then(
      () => undefined,
      (error) => error.code,
    )
    return outcome === 'BOOKEND_NO_SPACE'
  })
  const { next } = await topic.bounds()
  expect((await codedFailureOf(() => topic.append('e'))).code).toBe('BOOKEND_NO_SPACE')
  expect(await topic.bounds()).toEqual({ first: 0, next })
  await topic.trim(2)
  expect((await collect(topic.read({ to: 3 }))).map(({ value }) => value)).toEqual(['c'])
  await log.close().catch(() => {})
  log = await openLog(directory)
  expect(await log.topic('t', { codec: text }).append('f')).toBe(next)
})

it.each(['process', 'disk'] as const)(
  'above the watermark everything that needs no space works: flushes, trims, clearing a queue, closing (durability %s)',
  async (durability) => {
    const directory = temporaryFolder()
    const before = await openLog(directory)
    await before.topic('t').appendMany(Array.from({ length: 10 }, () => new Uint8Array(10)))
    await before.queue('jobs', { codec: text }).push('one')
    await before.close()
    const log = await openLog(directory, { durability, diskWatermarks: { refuseAppendsAt: 1e-9 } })
    const jobs = log.queue('jobs', { codec: text })
    const topic = log.topic('t')
    await until('appends are refused', () =>
      topic.append(new Uint8Array(10)).then(
        () => false,
        (error) => error.code === 'BOOKEND_NO_SPACE',
      ),
    )
    await log.flush('process')
    await log.flush('disk')
    log.flushSync('disk')
    await jobs.clear()
    expect(await jobs.size()).toBe(0)
    const { next } = await topic.bounds()
    await topic.trim(next - 1)

    // Something waits for space: whoever asks for it is told, and nobody else waits with it.
    expect(topic.offer(new Uint8Array(10))).toBe(true)
    expect((await codedFailureOf(() => log.flush('disk'))).code).toBe('BOOKEND_NO_SPACE')
    expect(() => log.flushSync()).toThrow(expect.objectContaining({ code: 'BOOKEND_NO_SPACE' }))
    await jobs.clear()
    await topic.trim(next)
    expect(await topic.bounds()).toEqual({ first: next, next })
    expect((await codedFailureOf(() => log.close())).code).toBe('BOOKEND_NO_SPACE')

    const again = await openLog(directory, { diskWatermarks: { refuseAppendsAt: 1e-9 } })
    await until('appends are refused', () =>
      again
        .topic('t')
        .append(new Uint8Array(10))
        .then(
          () => false,
          (error) => error.code === 'BOOKEND_NO_SPACE',
        ),
    )
    await again.close()
  },
)

it('the address space of mappings is bounded: far more segments than fit are read in full, by several threads', async () => {
  const { most, limit, messages, taken } = await report<{
    most: number
    limit: number
    messages: number
    taken: number
  }>('bounded-mappings.mjs', [temporaryFolder()])
  expect(messages).toBe(3 * 60 * 25)
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(limit)
  expect(taken).toBe(0)
})

it.each([
  [{ retention: { maxAge: 5 } }, TypeError],
  [{ retention: { maxAgeMs: 0 } }, RangeError],
  [{ retention: { maxBytes: -1 } }, RangeError],
  [{ retention: { minDirty: 0 } }, RangeError],
  [{ retention: { minDirty: 'half' } }, TypeError],
  [{ retention: { consumed: 1 } }, TypeError],
  [{ retention: { compact: 'yes' } }, TypeError],
  [{ retention: { compact: true, tombstoneMs: -1 } }, RangeError],
  [{ retention: { tombstoneMs: 1 } }, TypeError],
  [{ retention: 5 }, TypeError],
  [{ diskWatermarks: { refuseAppendsAt: 1.5 } }, RangeError],
  [{ diskWatermarks: { deleteAnywayAt: '0.5' } }, TypeError],
  [{ diskWatermarks: { stop: 0.5 } }, TypeError],
  [{ maxMappedBytes: 1 << 20 }, RangeError],
  [{ segmentBytes: 16 << 20, maxMappedBytes: 63 << 20 }, RangeError],
  [{ lockActive: 'yes' }, TypeError],
] as const)('the option %j is refused', async (options, kind) => {
  const directory = temporaryFolder()
  const error = await openLog(directory, options as never).then(
    () => undefined,
    (failure) => failure,
  )
  expect(error).toBeInstanceOf(kind)
  const log = await openLog(directory)
  if ('retention' in options) expect(() => log.topic('t', { retention: options.retention as never })).toThrow(kind)
})

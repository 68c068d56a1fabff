import type { Log, Message, ReadOptions, Where } from 'bookend'
import { expect, it } from 'vitest'
import { collect, expectMistake, failureOf, fixture } from '../../scenarios/support.js'
import { Seeded } from '../../support/seeded.js'
import { offsetsOf } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

const sum = new URL(`file://${fixture('scan-sum.mjs')}`)
const types = [
  'sale',
  'refund',
  'sal',
  'sale2',
  '',
  'sale "x"',
  'sale\\',
  'sälé',
  '\ud83d\ude00',
  'line\nend',
  '{"type":"sale"}',
]
const total = 1_500

/** Headers as nobody would write them, and as somebody might. */
function headersOf(random: Seeded): Record<string, string> | undefined {
  if (random.chance(0.1)) return undefined
  const headers: Record<string, string> = {}
  if (random.chance(0.3)) headers['a"b\\'] = random.pick(types)
  if (random.chance(0.9)) headers.type = random.chance(0.002) ? 'rare' : random.pick(types)
  if (random.chance(0.5)) headers.shop = random.pick(['north', 'south', 'type'])
  if (random.chance(0.1)) Object.assign(headers, { toString: 'own' })
  return headers
}

async function fill(log: Log): Promise<void> {
  const random = new Seeded(15)
  const topic = log.topic('t', log.supports.indexes ? { index: { headers: ['type', 'toString'] } } : {})
  for (let offset = 0; offset < total; ) {
    const count = random.below(40)
    const headers = headersOf(random)
    const values = Array.from({ length: Math.min(count, total - offset) }, () => new Uint8Array(random.below(1_500)))
    await topic.appendMany(values, { headers, ...(random.chance(0.3) && { key: 'key' }) })
    offset += values.length
    if (random.chance(0.1)) await log.topic('noise').append(new Uint8Array(20_000), { headers: { type: 'sale' } })
  }
}

function isMatch({ headers = {} }: Message<unknown>, where: Where): boolean {
  return Object.entries(where).every(
    ([name, values]) => Object.hasOwn(headers, name) && [values].flat().includes(headers[name]),
  )
}

const wheres: readonly Where[] = [
  ...types.map((type) => ({ type })),
  { type: ['sale', 'refund'] },
  { type: 'rare' },
  { type: 'none' },
  { type: types, shop: 'north' },
  { shop: ['south', 'north', 'south'], type: ['rare', 'refund'], 'a"b\\': types },
  { toString: 'own' } as unknown as Where,
  { hasOwnProperty: 'own' },
  { shop: 'type' },
  {},
]

onEveryReader(fill, (reader) => {
  it('what is read is what would be left of all messages, however they are read', async () => {
    const topic = reader.log.topic('t')
    const all = await collect(topic.read())
    expect(all).toHaveLength(total)
    for (const where of wheres) {
      const wanted = all.filter((message) => isMatch(message, where))
      const said = JSON.stringify(where)
      const read = await collect(topic.read({ where }))
      expect(offsetsOf(read), said).toEqual(offsetsOf(wanted))
      expect(JSON.stringify(read.slice(-20)), said).toBe(JSON.stringify(wanted.slice(-20)))
      expect(offsetsOf((await collect(topic.read({ where }).batches())).flat()), said).toEqual(offsetsOf(wanted))
      const chunks = await collect(topic.read({ where }).chunks())
      expect(
        chunks.flatMap((chunk) => offsetsOf([...chunk])),
        said,
      ).toEqual(offsetsOf(wanted))
      expect(chunks.every((chunk) => chunk.length > 0 && chunk.firstOffset === [...chunk][0].offset)).toBe(true)
      expect(await topic.count({ where }), said).toBe(wanted.length)
      if (!reader.supports.scan) continue
      const scanned = await topic.scan<{ count: number; bytes: number; runs: [number, number][] }>(sum, { where })
      const bytes = wanted.reduce((sum, { value }) => sum + value.length, 0)
      expect([scanned.count, scanned.bytes], said).toEqual([wanted.length, bytes])
      expect(scanned.runs.at(0)?.[0], said).toBe(wanted.at(0)?.offset)
      expect(scanned.runs.at(-1)?.[1], said).toBe(wanted.at(-1)?.offset)
    }
  })

  it('a range is exact whether its ends match or not', async () => {
    const topic = reader.log.topic('t')
    const where = { type: 'sale' }
    const all = await collect(topic.read())
    const random = new Seeded(7)
    for (let round = 0; round < 30; round++) {
      const [from, to] = [random.below(total + 10), random.below(total + 10)]
      const wanted = all.filter((each) => each.offset >= from && each.offset < to && isMatch(each, where))
      const options: ReadOptions = { from, to, where }
      if (reader.goesOn && to <= total) options.follow = random.chance(0.5)
      expect(offsetsOf(await collect(topic.read(options)))).toEqual(offsetsOf(wanted))
      expect(await topic.count({ from, to, where })).toBe(wanted.length)
    }
  })

  it('all messages are counted without reading them', async () => {
    const topic = reader.log.topic('t')
    expect(await topic.count()).toBe(total)
    expect(await topic.count({ from: 10 })).toBe(total - 10)
    expect(await topic.count({ from: 10, to: 13 })).toBe(3)
    expect(await topic.count({ from: 13, to: 10 })).toBe(0)
    expect(await topic.count({ from: total + 5 })).toBe(0)
    expect(await reader.log.topic('missing').count()).toBe(0)
    expect(await reader.log.topic('missing').count({ where: { type: 'sale' } })).toBe(0)
  })
})

onEveryEngine(({ shared }) => {
  it('a stream that follows is given what matches, and waits through what does not', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const stream = topic.read({ follow: true, where: { type: ['paid', 'sent'] } })
    const first = stream.next()
    for (let round = 0; round < 20; round++) await topic.append(new Uint8Array(1), { headers: { type: 'open' } })
    await topic.append(new Uint8Array([1]), { headers: { type: 'sent' } })
    expect((await first).value?.offset).toBe(20)
    const second = stream.next()
    await topic.appendMany([new Uint8Array(1), new Uint8Array(1)])
    await topic.append(new Uint8Array([2]), { headers: { shop: 'north', type: 'paid' } })
    expect((await second).value?.value).toEqual(new Uint8Array([2]))
    const third = stream.next()
    await topic.append(new Uint8Array(1), { headers: { type: 'open' } })
    await stream.return()
    expect(await third).toEqual({ done: true, value: undefined })
  })

  it('what was trimmed is an error, whether it would have matched or not', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    for (let round = 0; round < 10; round++) await topic.append(new Uint8Array(1), { headers: { round: `${round}` } })
    await topic.trim(5)
    const where = { round: '7' }
    expect(await failureOf(() => collect(topic.read({ from: 2, where })))).toMatchObject({
      code: 'BOOKEND_TRIMMED',
      first: 5,
    })
    expect(await failureOf(() => topic.count({ from: 2, where }))).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 5 })
    expect(await failureOf(() => topic.count({ from: 2 }))).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 5 })
    expect(offsetsOf(await collect(topic.read({ where })))).toEqual([7])
    expect(await topic.count()).toBe(5)
  })

  it('a count ends when its signal says so', async () => {
    const { log, name } = await shared()
    await log.topic(name).append(new Uint8Array(1))
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(log.topic(name).count({ signal })).rejects.toThrow('enough')
    await expect(log.topic(name).count({ where: { a: 'b' }, signal })).rejects.toThrow('enough')
  })

  it('what is no condition on headers is refused', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    for (const where of [
      'type=paid',
      1,
      null,
      ['type'],
      { type: 1 },
      { type: [1] },
      { type: undefined },
      { a: new Map() },
    ]) {
      await expectMistake(() => topic.read({ where: where as never }), TypeError)
      await expectMistake(() => topic.count({ where: where as never }), TypeError)
    }
    await expectMistake(() => topic.read({ where: { type: [] } }), RangeError)
  })
})

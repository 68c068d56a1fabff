import { type DeadLetter, type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, failureOf } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const decoder = new TextDecoder()

/** As processors write them: of topic `name`, offsets 0 to `count`, keys a and b in turn. */
async function lettersIn(log: Log, name: string, count: number): Promise<string> {
  const box = `${name}-failed`
  for (let offset = 0; offset < count; offset++) {
    const headers = {
      own: `${offset}`,
      'bookend-topic': name,
      'bookend-offset': `${offset}`,
      'bookend-timestamp': `${1_000 + offset}`,
      'bookend-group': 'g',
      'bookend-error': `Error: ${offset}`,
      'bookend-attempts': '3',
    }
    await log.topic(box, { codec: text }).append(`value ${offset}`, { key: offset % 2 === 0 ? 'a' : 'b', headers })
  }
  return box
}

const offsetsOf = (letters: readonly DeadLetter[]) => letters.map(({ origin }) => origin.offset)
const isOf = (key: string) => (letter: DeadLetter) => letter.keyText === key

async function contentsOf(log: Log, name: string) {
  const messages = await collect(log.topic(name, { codec: text }).read())
  return messages.map(({ keyText, headers, value }) => [keyText, headers, value])
}

onEveryEngine(({ shared, open, supports }) => {
  it('lists dead letters with where they come from and why, as an array or one after the other', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 3))
    const [first, ...more] = await letters.list()
    expect(first).toMatchObject({
      offset: 0,
      origin: { topic: name, offset: 0, timestamp: 1_000 },
      group: 'g',
      reason: 'Error: 0',
      attempts: 3,
      keyText: 'a',
      headers: { own: '0' },
      isValueLeftOut: false,
      damagedTo: undefined,
    })
    expect(decoder.decode(first.value)).toBe('value 0')
    expect(offsetsOf(more)).toEqual([1, 2])
    const found: DeadLetter[] = []
    for await (const letter of letters.list({ filter: isOf('a') })) found.push(letter)
    expect(offsetsOf(found)).toEqual([0, 2])
  })

  it('brings them back as they were, in order, once', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 3))
    expect(await letters.redrive()).toEqual({ redriven: 3, unreadable: 0 })
    const expected = [0, 1, 2].map((index) => [index % 2 === 0 ? 'a' : 'b', { own: `${index}` }, `value ${index}`])
    expect(await contentsOf(log, name)).toEqual(expected)
    expect(await letters.list()).toEqual([])
    expect(await letters.redrive()).toEqual({ redriven: 0, unreadable: 0 })
    expect(await contentsOf(log, name)).toEqual(expected)
    expect(await log.topic(letters.topic).bounds()).toEqual({ first: 3, next: 3 })
  })

  it('brings back some, to another topic, and the others stay for the next time', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 5))
    expect(await letters.redrive({ filter: isOf('b'), to: `${name}-other` })).toMatchObject({ redriven: 2 })
    expect((await contentsOf(log, `${name}-other`)).map(([, , value]) => value)).toEqual(['value 1', 'value 3'])
    expect(offsetsOf(await letters.list())).toEqual([0, 2, 4])
    // What is not settled is not lost to a reader of the topic either.
    expect((await log.topic(letters.topic).bounds()).first).toBe(0)
    expect(await letters.discard({ filter: ({ offset }) => offset === 0 })).toEqual({ discarded: 1 })
    expect((await log.topic(letters.topic).bounds()).first).toBe(2)
    expect(await letters.redrive()).toMatchObject({ redriven: 2 })
    expect((await contentsOf(log, name)).map(([, , value]) => value)).toEqual(['value 2', 'value 4'])
    expect(await letters.list()).toEqual([])
  })

  it('discards them, and nothing that is no dead letter', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 2))
    const topic = log.topic(letters.topic, { codec: text })
    await topic.append('a stray')
    await topic.append('another', { headers: { 'bookend-topic': '../no name', 'bookend-offset': '0' } })
    expect(await letters.discard()).toEqual({ discarded: 2 })
    expect(await letters.discard()).toEqual({ discarded: 0 })
    expect((await contentsOf(log, letters.topic)).map(([, , value]) => value)).toEqual(['a stray', 'another'])
    expect(await letters.list()).toEqual([])
  })

  it('removes what stands for messages that cannot be read, and looks for a value that was left out', async () => {
    const { log, name } = await shared()
    const box = `${name}-failed`
    const from = { 'bookend-topic': name, 'bookend-group': 'g', 'bookend-error': 'e' }
    const append = (headers: Record<string, string>) =>
      log.topic(box).append(new Uint8Array(0), { headers: { ...from, ...headers } })
    await log.topic(name, { codec: text }).append('large')
    await append({ 'bookend-offset': '3', 'bookend-attempts': '0', 'bookend-next': '7' })
    await append({ 'bookend-offset': '0', 'bookend-attempts': '1', 'bookend-value': 'left out: 5 bytes' })
    await append({ 'bookend-offset': '9', 'bookend-attempts': '1', 'bookend-value': 'left out: 5 bytes' })
    const letters = log.deadLetters(box)
    expect((await letters.list()).map(({ damagedTo, isValueLeftOut }) => [damagedTo, isValueLeftOut])).toEqual([
      [7, false],
      [undefined, true],
      [undefined, true],
    ])
    // The last one is nowhere any more: those before it are settled all the same.
    const { code, offset } = await codedFailureOf(() => letters.redrive())
    expect({ code, offset }).toEqual({ code: 'BOOKEND_TRIMMED', offset: 2 })
    expect((await contentsOf(log, name)).map(([, , value]) => value)).toEqual(['large', 'large'])
    expect(offsetsOf(await letters.list())).toEqual([9])
  })

  it('a filter that throws, and a signal, end it; what was settled before stays so', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 4))
    const enough = new Error('enough')
    const filter = ({ origin }: DeadLetter) => {
      if (origin.offset === 2) throw enough
      return true
    }
    expect(await failureOf(() => letters.redrive({ filter }))).toBe(enough)
    expect(offsetsOf(await letters.list())).toEqual([2, 3])
    expect(await failureOf(() => letters.discard({ signal: AbortSignal.abort(enough) }))).toBe(enough)
    expect(await failureOf(async () => letters.list({ signal: AbortSignal.abort(enough) }))).toBe(enough)
    const controller = new AbortController()
    const aborting = () => {
      controller.abort(enough)
      return true
    }
    expect(await failureOf(() => letters.discard({ filter: aborting, signal: controller.signal }))).toBe(enough)
    expect(offsetsOf(await letters.list())).toEqual([3])
    expect(await contentsOf(log, name)).toHaveLength(2)
  })

  it('two at once settle each letter once', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 20))
    const [one, other] = await Promise.all([letters.redrive(), log.deadLetters(letters.topic).redrive()])
    // What one holds while the other looks is not there for it; nothing is left to a third but what both gave back.
    const rest = await letters.redrive()
    expect(one.redriven + other.redriven + rest.redriven).toBe(20)
    expect(new Set((await contentsOf(log, name)).map(([, , value]) => value)).size).toBe(20)
    expect(await contentsOf(log, name)).toHaveLength(20)
  })

  it('refuses what makes no sense, before anything is written', async () => {
    const { log, name } = await shared()
    const letters = log.deadLetters(await lettersIn(log, name, 1))
    expect(() => log.deadLetters('.x')).toThrow(RangeError)
    expect(await failureOf(() => letters.redrive({ to: letters.topic }))).toBeInstanceOf(RangeError)
    expect(await failureOf(() => letters.redrive({ to: '' }))).toBeInstanceOf(RangeError)
    expect(() => letters.list({ filter: 'x' as never })).toThrow(TypeError)
    expect(await failureOf(() => letters.discard({ where: {} } as never))).toBeInstanceOf(TypeError)
    expect(await letters.list()).toHaveLength(1)
    expect(await log.deadLetters(`${name}-none`).redrive()).toEqual({ redriven: 0, unreadable: 0 })
    expect(await log.topics()).not.toContain(`${name}-none`)
  })

  it.runIf(supports.process)('has what a processor has given up, with the time at which it was appended', async () => {
    const { log, name } = await shared()
    await log.topic(name, { codec: text }).append('no', { key: 'k', headers: { own: 'h' } })
    const { timestamp } = (await log.topic(name).get(0))!
    const module = new URL('data:text/javascript,export default () => { throw new RangeError("cannot") }')
    const processor = log
      .topic(name)
      .group('g')
      .process(module, { retries: 0, deadLetter: `${name}-failed` })
    await processor.idle()
    const letters = log.deadLetters(`${name}-failed`)
    expect(await letters.list()).toMatchObject([
      {
        origin: { topic: name, offset: 0, timestamp },
        group: 'g',
        reason: 'RangeError: cannot',
        keyText: 'k',
        headers: { own: 'h' },
      },
    ])
    await processor.stop()
    expect(await letters.redrive()).toMatchObject({ redriven: 1 })
    expect(await contentsOf(log, name)).toEqual([
      ['k', { own: 'h' }, 'no'],
      ['k', { own: 'h' }, 'no'],
    ])
  })

  it('is closed with its log', async () => {
    const log = await open()
    const letters = log.deadLetters(await lettersIn(log, 'closed', 1))
    await log.close()
    for (const call of [
      async () => letters.list(),
      () => letters.redrive(),
      () => letters.discard(),
      async () => log.deadLetters('x'),
    ])
      expect((await codedFailureOf(call)).code).toBe('BOOKEND_CLOSED')
  })
})

import { existsSync } from 'node:fs'
import path from 'node:path'
import { json, type Log, type OpenOptions, open, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, contentOf, expectMistake, failureOf, openLog, temporaryFolder } from '../scenarios/support.js'

const scanModule = new URL('../fixtures/scan-sum.mjs', import.meta.url)

it('open refuses bad options before it makes anything', async () => {
  const directory = path.join(temporaryFolder(), 'log')
  const types: [string, unknown][] = [
    ['segmentBytes', '1'],
    ['durability', 1],
    ['flushIntervalMs', null],
    ['readers', '2'],
    ['mapTtlMs', {}],
    ['ringBytes', true],
    ['maxMessageBytes', []],
    ['io', 1],
    ['readOnly', 1],
    ['keepAlive', 'yes'],
    ['segmentSize', 1 << 20],
  ]
  for (const [name, value] of types) {
    if (value === null) continue
    await expectMistake(() => open(directory, { [name]: value } as OpenOptions), TypeError)
  }
  const ranges: OpenOptions[] = [
    { segmentBytes: (1 << 20) - 65536 },
    { segmentBytes: 2 ** 30 + 65536 },
    { segmentBytes: (1 << 20) + 4096 },
    { segmentBytes: 1048576.5 },
    { segmentBytes: Number.NaN },
    { durability: 'memory' as 'disk' },
    { flushIntervalMs: 0 },
    { flushIntervalMs: 1.5 },
    { readers: 0 },
    { readers: -1 },
    { mapTtlMs: -5 },
    { ringBytes: 100 },
    { maxMessageBytes: 0 },
    { maxMessageBytes: Number.POSITIVE_INFINITY },
    { io: 'disk' as 'file' },
    { segmentBytes: 1 << 20, maxMessageBytes: 2 << 20 },
  ]
  for (const options of ranges) await expectMistake(() => open(directory, options), RangeError)
  await expectMistake(() => open(1 as unknown as string), TypeError)
  await expectMistake(() => open(directory, null as unknown as OpenOptions), TypeError)
  expect(existsSync(directory)).toBe(false)
})

it('open takes a file URL, makes missing folders, and tells the resolved directory', async () => {
  const directory = path.join(temporaryFolder(), 'a', 'b c')
  const log = await openLog(new URL(`file://${directory.replaceAll(' ', '%20')}`) as unknown as string)
  expect(log.directory).toBe(directory)
  expect(existsSync(path.join(directory, 'control'))).toBe(true)
})

it('an existing log is opened without segmentBytes, and refuses another value than its own', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory, { segmentBytes: 2 << 20 })
  await log.topic('a').append(new Uint8Array(1))
  await log.close()
  await expectMistake(() => open(directory, { segmentBytes: 1 << 20 }), RangeError)
  const again = await openLog(directory, { segmentBytes: undefined })
  expect(again.stats().segments.segmentBytes).toBe(2 << 20)
})

it('names have 1 to 200 characters of A-Z a-z 0-9 . _ - and do not start with a dot', async () => {
  const log = await openLog()
  for (const good of ['a', 'A.b_c-9', '-', '_x', '0', 'x'.repeat(200), 'a..b']) {
    expect(await log.topic(good).append(new Uint8Array(1))).toBe(0)
  }
  for (const bad of ['', '.', '..', '.hidden', 'a/b', 'a b', 'ä', 'x'.repeat(201), 'a\n', 'a\u0000', '../a']) {
    await expectMistake(() => log.topic(bad), RangeError)
  }
  for (const bad of [undefined, null, 1, {}, Symbol.iterator])
    await expectMistake(() => log.topic(bad as string), TypeError)
  await expectMistake(() => log.topic('a', { codec: {} as typeof text }), TypeError)
  await expectMistake(() => log.topic('a', { codex: text } as object), TypeError)
  expect(await log.topics()).toEqual(['a', 'A.b_c-9', '-', '_x', '0', 'x'.repeat(200), 'a..b'].sort())
})

it('every mistake in a call is a TypeError or RangeError without a code, and nothing is written', async () => {
  const log = await openLog()
  const raw = log.topic('t')
  const words = log.topic('t', { codec: text })
  const any = log.topic('t', { codec: json })
  await raw.append(new Uint8Array(3))
  await log.flush('disk')
  const { published } = log.stats().positions
  const wrong = (value: unknown) => value as never
  const one = new Uint8Array(1)

  const typeErrors: (() => unknown)[] = [
    () => raw.append(wrong('text')),
    () => raw.append(wrong(undefined)),
    () => raw.append(wrong(new ArrayBuffer(3))),
    () => raw.append(wrong(new Uint16Array(3))),
    () => raw.append(wrong([1, 2])),
    () => words.append(wrong(1)),
    () => words.offer(wrong(one)),
    () => any.append(undefined),
    () => any.append(() => 1),
    () => raw.offer(wrong('text')),
    () => raw.appendMany(wrong(one)),
    () => raw.appendMany(wrong('ab')),
    () => raw.appendMany([one, wrong('x')]),
    () => raw.append(one, wrong('options')),
    () => raw.append(one, wrong(null)),
    () => raw.append(one, wrong({ keys: 'k' })),
    () => raw.append(one, { key: wrong(1) }),
    () => raw.append(one, { headers: wrong('h') }),
    () => raw.append(one, { headers: { a: wrong(1) } }),
    () => raw.append(one, { headers: wrong(null) }),
    () => raw.append(one, { headers: wrong([]) }),
    () => raw.append(one, { headers: wrong(['a']) }),
    () => raw.append(one, { headers: wrong(new Map([['a', 'b']])) }),
    () => raw.append(one, { headers: wrong(new Headers({ a: 'b' })) }),
    () => raw.append(one, { headers: wrong(new Date()) }),
    () => raw.append(one, { headers: wrong({ toJSON: () => 'other' }) }),
    () => raw.append(one, { headers: wrong({ a: ['b'] }) }),
    () =>
      raw.append(one, {
        headers: {
          get a() {
            return 'b'
          },
        },
      }),
    () => raw.append(one, wrong([])),
    () => raw.appendMany([one], wrong(null)),
    () => raw.read(wrong(null)),
    () => raw.scan(scanModule, wrong(null)),
    () => log.topic('a', wrong(null)),
    () => log.topic('a', { codec: wrong(null) }),
    () => log.topic('a', { codec: wrong('json') }),
    () => log.topic('a', { index: wrong(null) }),
    () => log.topic('a', { index: wrong(0) }),
    () => log.topic('a', { dedupe: wrong(null) }),
    () => log.topic('a', { retention: wrong('') }),
    () => log.queue('a', { dedupe: wrong(0) }),
    () => log.queue('a').work(() => {}, wrong(null)),
    () => log.queue('a', { priorities: 2 }).work(() => {}, wrong(null)),
    () => log.queue('a', { priorities: 2 }).push(one, wrong(null)),
    () => log.queue('a', { codec: wrong({ encode: () => one }) }),
    () => log.queue('a').push(one, wrong({ priority: 1 })),
    () => log.queue('a').push(one, { delayMs: wrong('1') }),
    () => log.queue('a').push(one, { deliverAt: wrong('tomorrow') }),
    () => log.queue('a').push(one, wrong({ identity: 'x' })),
    () => log.queue('a').push(one, wrong(null)),
    () => log.queue('a').push(one, { id: 'i', headers: wrong('h') }),
    () => log.queue('a').push(one, { id: 'i', headers: wrong(new Map([['a', 'b']])) }),
    () => log.queue('a').push(one, { id: 'i', delayMs: 1, headers: wrong(new Map([['a', 'b']])) }),
    () => log.queue('a').pop(wrong(null)),
    () => log.backup('somewhere', wrong(null)),
    () => raw.append(one, { signal: wrong({ aborted: false }) }),
    () => raw.append(one, { durability: wrong(7) }),
    () => raw.offer(one, { key: wrong({}) }),
    () => raw.get(wrong('0')),
    () => raw.get(wrong(undefined)),
    () => raw.get(wrong(0n)),
    () => raw.getMany(wrong(0)),
    () => raw.getMany([0, wrong('1')]),
    () => raw.read(wrong('first')),
    () => raw.read({ from: wrong({}) }),
    () => raw.read({ to: wrong('next') }),
    () => raw.read({ follow: wrong(1) }),
    () => raw.read({ signal: wrong(1) }),
    () => raw.read(wrong({ start: 1 })),
    () => raw.offsetAt(wrong('yesterday')),
    () => raw.offsetAt(wrong(undefined)),
    () => raw.trim(wrong('1')),
    () => raw.scan(wrong(1)),
    () => raw.scan(scanModule, { from: wrong('first') }),
    () => raw.scan(scanModule, wrong({ until: 1 })),
    () => log.flush(wrong(1)),
    () => log.flushSync(wrong({})),
  ]
  for (const call of typeErrors) await expectMistake(call, TypeError)

  const rangeErrors: (() => unknown)[] = [
    () => raw.append(one, { durability: wrong('memory') }),
    () => raw.append(one, { key: 'k'.repeat(65_537) }),
    () => raw.offer(one, { key: new Uint8Array(65_537) }),
    () => raw.get(-1),
    () => raw.get(0.5),
    () => raw.get(Number.NaN),
    () => raw.get(2 ** 53),
    () => raw.getMany([0, -1]),
    () => raw.read({ from: -1 }),
    () => raw.read({ from: 1.5 }),
    () => raw.read({ to: -1 }),
    () => raw.read({ from: new Date(Number.NaN) }),
    () => raw.offsetAt(new Date(Number.NaN)),
    () => raw.offsetAt(Number.NaN),
    () => raw.trim(-1),
    () => raw.trim(0.5),
    () => raw.trim(2),
    () => log.backup(''),
    () => raw.scan(scanModule, { from: -1 }),
    () => raw.scan(scanModule, { to: 1.5 }),
    () => raw.scan('relative/module.js'),
    () => log.flush(wrong('memory')),
    () => log.flushSync(wrong('all')),
  ]
  for (const call of rangeErrors) await expectMistake(call, RangeError)
  // A word where an offset is wanted: either kind of mistake is told as one.
  await expectMistake(() => raw.read({ from: wrong('last') }), TypeError)

  await log.flush()
  expect(log.stats().positions.published).toBe(published)
  expect(await raw.bounds()).toEqual({ first: 0, next: 1 })
  expect(await raw.append(one)).toBe(1)
})

it('opening with a mistake leaves an existing log exactly as it was', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('a').append(new Uint8Array(100))
  await log.close()
  const before = contentOf(directory)
  await expectMistake(() => open(directory, { readers: 0 }), RangeError)
  expect(contentOf(directory)).toEqual(before)
})

it('a mistake is said in words that name what was given', async () => {
  const folder = temporaryFolder()
  const wrong = (value: unknown) => value as never
  const log = await openLog(path.join(folder, 'log'))
  const topic = log.topic('t')
  await topic.append(new Uint8Array(1))
  const said: [() => unknown, RegExp][] = [
    [() => open(''), /^directory is empty: /],
    [() => open(wrong(null)), /^directory is a string or a file: URL, not null$/],
    [() => open(path.join(folder, 'x'), wrong(null)), /^open\(\) takes an object with options, not null$/],
    [() => open(path.join(folder, 'x'), wrong([])), /^open\(\) takes an object with options, not an array$/],
    [() => log.queue('q').push(new Uint8Array(1), wrong({ weight: 1 })), /^push\(\) has no option weight: only key/],
    [() => log.queue('q').push(new Uint8Array(1), wrong('x')), /^push\(\) takes an object with options, not string$/],
    [() => topic.entries(wrong({ where: {} })), /^entries\(\) has no option where: only signal$/],
    [() => topic.read(wrong(new Uint8Array(9))), /^read\(\) has no option 0, 1, 2, 3, 4, \.\.\.: only from/],
    [() => topic.get(wrong({})), /^offset is a number, not a plain object$/],
    [() => topic.get(wrong(null)), /^offset is a number, not null$/],
    [
      () =>
        log.transaction((tx) => {
          for (let number = 0; number < 4_000; number++) tx.set(`register-${number}`, number)
        }),
      /^0 messages and 4000 registers may take \d+ bytes, which is more than one segment of 1048576 bytes holds/,
    ],
    [
      () =>
        log.transaction((tx) => {
          for (let number = 0; number <= 1_024; number++) tx.append(log.topic(`t${number}`), new Uint8Array(1))
        }),
      /^a transaction is of 1024 topics at most/,
    ],
    [() => topic.append(new Uint8Array(1), { headers: wrong(new Map()) }), /^headers is a plain object .* not a Map$/],
    [() => topic.append(new Uint8Array(1), { headers: wrong({ a: ['b'] }) }), /^header "a" is a string, not an array$/],
    [() => topic.trim(1_000_000), /^offset 1000000 of topic "t" is not written yet: the next one is 1/],
  ]
  for (const [call, words] of said) expect((await failureOf(call)).message).toMatch(words)
  expect(existsSync(path.join(folder, 'x'))).toBe(false)
})

it('a message that is too large is told what to do: there is a limit of the log, and one of its segments', async () => {
  const most = await openLog()
  const told = async (log: Log, bytes: number) => {
    const error = await codedFailureOf(() => log.topic('t').append(new Uint8Array(bytes)))
    expect(error.code).toBe('BOOKEND_TOO_LARGE')
    return error.message
  }
  expect(await told(await openLog(undefined, { maxMessageBytes: 100 }), 101)).toContain('higher maxMessageBytes')
  expect(await told(most, 1 << 20)).toContain('larger segmentBytes')
  expect(await told(most, 1 << 20)).not.toContain('higher')
})

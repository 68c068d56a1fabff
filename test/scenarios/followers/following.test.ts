import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Log, type OpenOptions, open, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import {
  codedFailureOf,
  collect,
  expectMistake,
  openLog,
  segmentNames,
  small,
  start,
  temporaryFolder,
  until,
} from '../support.js'

async function follow(directory: string, options: OpenOptions = {}): Promise<Log> {
  const log = await open(directory, { readers: 1, ...options, readOnly: true, follow: true })
  onTestFinished(() => log.close().catch(() => {}))
  return log
}

it('what was acknowledged before a follower opened is there, and what comes after comes: owner and follower in one process', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  await owner.topic('t', { codec: text }).append('before')
  const follower = await follow(directory)
  const topic = follower.topic('t', { codec: text })
  expect(await topic.bounds()).toEqual({ first: 0, next: 1 })
  expect(follower.stats().follower).toEqual({ hears: 'bell', because: undefined })
  expect(owner.stats().follower).toBeUndefined()
  const stream = topic.read({ follow: true })
  expect((await stream.next()).value?.value).toBe('before')
  for (let number = 0; number < 300; number++) {
    const next = stream.next()
    await owner.topic('t', { codec: text }).append(`${number}`)
    expect((await next).value).toMatchObject({ value: `${number}`, offset: number + 1 })
  }
  expect((await topic.get(300))?.value).toBe('299')
  expect((await collect(topic.read({ from: 299 }))).map(({ value }) => value)).toEqual(['298', '299'])
  expect(follower.stats().positions.published).toBe(owner.stats().positions.published)
})

it('short and long, new topics, trims and new segments, on a file system that says what is in memory: all of it comes, in order', async () => {
  const directory = temporaryFolder(tmpdir())
  const owner = await openLog(directory)
  await owner.topic('t0').append(new Uint8Array(8))
  const follower = await follow(directory)
  const sent: Record<string, number[]> = { t0: [8] }
  for (let round = 0; round < 6; round++) {
    const name = `t${round % 3}`
    // Two segments and more of them are long.
    for (const length of [10, 1_000, 150_000, 20, 70_000, 30]) {
      await owner.topic(name).append(new Uint8Array(length))
      sent[name] = [...(sent[name] ?? []), length]
    }
    if (round === 3) await owner.topic('t1').trim(2)
    if (round % 2 === 0)
      await until('it is heard', async () => (await follower.topic(name).bounds()).next === sent[name]?.length)
  }
  for (const [name, lengths] of Object.entries(sent)) {
    const bounds = await owner.topic(name).bounds()
    await until('it has come', async () => isDeepStrictEqual(await follower.topic(name).bounds(), bounds))
    const found = await collect(follower.topic(name).read())
    expect(found.map(({ value }) => value.length)).toEqual(lengths.slice(bounds.first))
  }
  expect(follower.stats().positions.published).toBe(owner.stats().positions.published)
})

it('a topic that is made later is waited for, read and listed', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  const follower = await follow(directory)
  const names = Array.from({ length: 40 }, (_, index) => `topic-${index}`)
  const waiting = names.map((name) => follower.topic(name, { codec: text }).read({ follow: true }).next())
  for (const name of names) await owner.topic(name, { codec: text }).append(name)
  expect((await Promise.all(waiting)).map(({ value }) => value?.value)).toEqual(names)
  expect(await follower.topics()).toEqual([...names].sort())
})

it('writes nothing, and says so', async () => {
  const directory = temporaryFolder()
  await openLog(directory)
  const follower = await follow(directory)
  const topic = follower.topic('t')
  const calls = [
    () => topic.append(new Uint8Array(1)),
    () => topic.offer(new Uint8Array(1)),
    () => topic.trim(0),
    () => follower.queue('q').push(new Uint8Array(1)),
    () => follower.queue('q').pop(),
    () => topic.group('g').process(new URL('../../fixtures/scan-sum.mjs', import.meta.url), { deadLetter: 'dead' }),
  ]
  for (const call of calls) expect((await codedFailureOf(call)).code, String(call)).toBe('BOOKEND_READ_ONLY')
})

it('following is asked for, and only of a log opened with readOnly', async () => {
  const directory = temporaryFolder()
  await openLog(directory)
  const frozen = await open(directory, { readOnly: true, readers: 1 })
  onTestFinished(() => frozen.close())
  await expectMistake(() => frozen.topic('t').read({ follow: true }), TypeError)
  expect(() => frozen.topic('t').read({ follow: true })).toThrow(/readOnly: true, follow: true/)
  await expectMistake(() => open(directory, { follow: true }), TypeError)
  expect((await codedFailureOf(() => follow(temporaryFolder()))).code).toBe('BOOKEND_FORMAT')
})

it('what is trimmed and deleted is BOOKEND_TRIMMED, at once, with where reading can go on; the bounds follow', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory, { retention: { maxBytes: 1 << 20 } })
  const value = new Uint8Array(100_000)
  for (let number = 0; number < 25; number++) await owner.topic('t').append(value.fill(number))
  const follower = await follow(directory)
  const topic = follower.topic('t')
  // Retention is at work all the time: what was the first message a moment ago may be gone.
  const early = (await topic.read({ follow: true }).next()).value
  expect(early?.value[0]).toBe(early?.offset)
  const before = segmentNames(directory)
  for (let number = 25; number < 120; number++) await owner.topic('t').append(value.fill(number))
  await owner.flush('disk')
  await until('old segments are deleted', () => !segmentNames(directory).includes(before[1] as string))
  const error = await codedFailureOf(() => topic.read({ from: 0 }).next())
  expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', topic: 't' })
  expect(await topic.get(0)).toBeUndefined()
  await until("the bounds are the owner's", async () =>
    isDeepStrictEqual(await topic.bounds(), await owner.topic('t').bounds()),
  )
  // From here on nothing more is deleted.
  await owner.close()
  const left = await collect(topic.read())
  expect(left.map(({ value }) => value[0])).toEqual(
    Array.from({ length: 120 - left[0]!.offset }, (_, i) => left[0]!.offset + i),
  )
})

it('a trim of the owner is one of the follower, and topics of which nothing is left begin where they end', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  for (let number = 0; number < 10; number++) await owner.topic('t').append(new Uint8Array(8))
  const follower = await follow(directory)
  await owner.topic('t').trim(7)
  const { topic } = { topic: follower.topic('t') }
  await until('it has heard', async () => (await topic.bounds()).first === 7)
  expect((await codedFailureOf(() => topic.read({ from: 3 }).next())).first).toBe(7)
  await owner.topic('t').trim(10)
  await until('it has heard', async () => (await topic.bounds()).first === 10)
})

it('an owner that closes and opens again is heard again, and a follower may come first', async () => {
  const directory = temporaryFolder()
  const first = await openLog(directory)
  await first.topic('t', { codec: text }).append('a')
  await first.close()
  const follower = await follow(directory)
  expect(follower.stats().follower?.hears).toBe('left')
  const stream = follower.topic('t', { codec: text }).read({ follow: true })
  expect((await stream.next()).value?.value).toBe('a')
  for (const value of ['b', 'c', 'd']) {
    const next = stream.next()
    const owner = await openLog(directory)
    await owner.topic('t', { codec: text }).append(value)
    expect((await next).value?.value).toBe(value)
    await owner.close()
  }
})

it('twenty followers see everything, and when they are gone nothing is rung any more; one that was killed is forgotten as well', async () => {
  // Nobody else comes or goes there, so that only the owner's own clock makes it look: it takes its time.
  const other = temporaryFolder()
  await openLog(other)
  const killed = start('ten-followers.mjs', [other, '1'])
  await killed.says('ready')
  killed.process.kill('SIGKILL')
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  const programs = Array.from({ length: 2 }, () => start('ten-followers.mjs', [directory, '400']))
  for (const program of programs) await program.says('ready')
  expect(fs.readdirSync(path.join(directory, 'followers')).filter((name) => name.endsWith('.lock'))).toHaveLength(20)
  for (let number = 0; number < 400; number++) await owner.topic('t', { codec: text }).append(`${number}`)
  for (const program of programs) expect((await program.ended).output).toContain('all seen by 10')
  await until('they are forgotten', () => fs.readdirSync(path.join(directory, 'followers')).length === 0)
  const bell = () => fs.readFileSync(path.join(directory, 'bell')).toString('hex')
  // The word that nobody follows has come to the writer when a publication changes nothing any more.
  await until('the bell is still', async () => {
    const before = bell()
    await owner.topic('t', { codec: text }).append('more')
    return bell() === before
  })
  await until('the locks of the killed one are gone', () => fs.readdirSync(path.join(other, 'followers')).length === 0)
})

it('after a repair the log has to be opened anew, and says so to who waits', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  await owner.topic('t').append(new Uint8Array(8))
  const follower = await follow(directory)
  const waiting = codedFailureOf(() => follower.topic('t').read({ from: 'next', follow: true }).next())
  await owner.close()
  fs.mkdirSync(path.join(directory, 'damaged', 'once'), { recursive: true })
  await openLog(directory)
  const error = await waiting
  expect(error.code).toBe('BOOKEND_FORMAT')
  expect(error.message).toMatch(/repaired.*open it anew/)
})

it('without permission to write beside the log it looks once a second, and says so', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  // A file in the folder's place: whoever may not write there meets the same. The owner makes the folder anew whenever it misses it.
  const place = path.join(directory, 'followers')
  await until('it is a file', () => {
    try {
      fs.rmSync(place, { recursive: true, force: true })
      fs.writeFileSync(place, '', { flag: 'wx' })
    } catch {}
    return fs.statSync(place, { throwIfNoEntry: false })?.isFile() === true
  })
  await owner.topic('t', { codec: text }).append('a')
  const follower = await follow(directory)
  expect(follower.stats().follower).toMatchObject({ hears: 'looks', because: expect.stringContaining('followers') })
  const stream = follower.topic('t', { codec: text }).read({ follow: true })
  expect((await stream.next()).value?.value).toBe('a')
  const next = stream.next()
  await owner.topic('t', { codec: text }).append('b')
  expect((await next).value?.value).toBe('b')
  const group = follower.topic('t', { codec: text }).group('g').consume()
  expect((await codedFailureOf(() => group.next())).code).toMatch(/BOOKEND_READ_ONLY|ENOTDIR/)
})

it('a log that is deleted under its follower, or is another one under the same name, says so', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  await owner.topic('t').append(new Uint8Array(8))
  await owner.close()
  const follower = await follow(directory)
  const waiting = codedFailureOf(() => follower.topic('t').read({ from: 'next', follow: true }).next())
  const other = temporaryFolder()
  await (await open(other, small)).close()
  fs.cpSync(path.join(other, 'control'), path.join(directory, 'control'))
  fs.rmSync(path.join(directory, 'bell'), { force: true })
  expect((await waiting).message).toMatch(/another log.*open it anew/)
})

for (const io of ['mmap', 'file'] as const) {
  it(`the old files of segments that the owner has packed go, however a follower keeps reading (io ${io})`, async () => {
    // Not in memory, where nothing is read in the application's own thread.
    const directory = temporaryFolder(tmpdir())
    const options = { segmentBytes: 1 << 20, flushIntervalMs: 20, readers: 1 }
    let owner = await openLog(directory, options)
    const sent = Array.from({ length: 300 }, (_, number) => `${number} `.repeat(2_000))
    const given = owner.topic('t', { codec: text })
    await Promise.all(sent.map((value, number) => given.append(value, { key: `k${number % 7}` })))
    const follower = await follow(directory, { io })
    const topic = follower.topic('t', { codec: text })
    const look = async () => {
      expect((await collect(topic.read())).map(({ value }) => value)).toEqual(sent)
      expect((await topic.getMany(sent.map((_, offset) => offset))).map((message) => message?.value)).toEqual(sent)
      for (let offset = 0; offset < 300; offset += 50) expect((await topic.get(offset))?.value).toBe(sent[offset])
      expect((await collect(topic.byKey('k3', { limit: 5 }))).map(({ offset }) => offset)[0]).toBe(297)
    }
    await until("it has all of them open, in the application's thread too", async () => {
      await look()
      return follower.stats().readers.hot > 0 && namesHeld(directory).size >= 3
    })
    await owner.close()
    owner = await openLog(directory, { ...options, compress: { afterMs: 0, codec: 'deflate' } })
    await until('they are packed', async () =>
      (await owner.segments()).every(({ state, packed }) => state !== 'sealed' || packed),
    )
    await owner.close()
    await until('nobody has what they were', async () => {
      await look()
      return [...namesHeld(directory)].every((name) => !name.endsWith('(deleted)'))
    })
  })
}

/** Files of the log that this process has open or mapped. */
function namesHeld(directory: string): Set<string> {
  const open = fs.readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${descriptor}`)]
    } catch {
      return []
    }
  })
  const mapped = fs
    .readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => line.slice(73))
  return new Set([...open, ...mapped].filter((name) => name.startsWith(path.join(directory, 'log'))))
}

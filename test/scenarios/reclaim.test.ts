import { bytes, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder, until } from './support.js'

for (const io of ['mmap', 'file'] as const) {
  it(`what one topic needs keeps its own bytes, whoever reads meanwhile (io ${io})`, async () => {
    const directory = temporaryFolder()
    let log = await openLog(directory, { io, flushIntervalMs: 20, readers: 2 })
    const busy = log.topic('busy', { codec: bytes, retention: { maxBytes: 0 } })
    const slow = log.topic('slow', { codec: text, index: { keys: true } })
    const sent: string[] = []
    const keyOf = (index: number) => `k${index % 7}`
    for (let number = 0; number < 130; number++) {
      busy.offer(new Uint8Array(40_000).fill(number))
      const value = `slow ${number} `.padEnd(900, '.')
      sent.push(value)
      await slow.append(value, { key: keyOf(number) })
    }
    const follower = await openLog(directory, { readOnly: true, follow: true })
    // Somebody is in the middle of the log all the while.
    const early = slow.read()
    const followed = follower.topic('slow', { codec: text }).read()
    expect((await early.next()).value).toMatchObject({ offset: 0 })
    expect((await followed.next()).value).toMatchObject({ offset: 0 })
    const delivered = slow.group('g').consume({ from: 'first' })
    const first = await delivered.next()
    await until('the sealed segments are written anew', () => log.stats().segments.rewrites >= 4)
    expect(log.stats().segments.reclaimedBytes).toBeGreaterThan(3 << 20)
    const sealed = (await log.segments()).filter(({ state }) => state === 'sealed')
    expect(sealed.filter(({ rewrites }) => rewrites > 0).length).toBeGreaterThanOrEqual(4)
    for (const { rewrites, neededBy, needs, diskBytes, bytes, rewriting, packing } of sealed) {
      if (rewrites === 0) continue
      expect(neededBy).toEqual(['slow'])
      const [need] = needs
      expect(need).toEqual({ topic: 'slow', until: undefined, bytesToCome: undefined, group: undefined, tombstones: 0 })
      expect(diskBytes).toBeLessThan(bytes / 2)
      expect(rewriting).toMatchObject({ state: 'clean', deadBytes: 0, leastBytes: 65_536, at: undefined })
      expect(rewriting?.messageBytes).toBeLessThan(bytes / 2)
      expect(packing).toEqual({ state: 'off', at: undefined })
    }
    const values = (messages: { value: string }[]) => messages.map(({ value }) => value)
    expect(values(await collect(early))).toEqual(sent.slice(1))
    expect(values(await collect(followed))).toEqual(sent.slice(1))
    let delivery = first
    for (const value of sent) {
      expect(delivery.value?.value).toBe(value)
      await delivery.value?.ack()
      if (value !== sent.at(-1)) delivery = await delivered.next()
    }
    await delivered.return?.()
    for (const isReopened of [false, true]) {
      if (isReopened) {
        await log.close()
        log = await openLog(directory, { io })
      }
      const topic = log.topic('slow', { codec: text, index: { keys: true } })
      expect(values(await collect(topic.read()))).toEqual(sent)
      expect((await topic.getMany([0, 64, 129])).map((message) => message?.value)).toEqual([
        sent[0],
        sent[64],
        sent[129],
      ])
      const keyed = (await collect(topic.byKey('k3'))).map(({ offset }) => offset)
      expect(keyed.sort((a, b) => a - b)).toEqual(sent.map((_, index) => index).filter((index) => index % 7 === 3))
      const bounds = await log.topic('busy').bounds()
      expect(bounds.next).toBe(130)
      expect(bounds.first).toBeGreaterThan(80)
      expect((await collect(log.topic('busy', { codec: bytes }).read())).map(({ value }) => value[0])).toEqual(
        Array.from({ length: 130 - bounds.first }, (_, index) => bounds.first + index),
      )
    }
    await follower.close()
    await log.close()
  })
}

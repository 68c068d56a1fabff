import { type Log, open as openLocal, text } from 'bookend'
import { type Mirror, type MirrorOptions, mirror, replay } from 'bookend/jetstream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, collect, openLog, start, temporaryFolder, until } from '../scenarios/support.js'
import { Passage } from '../support/nats/passage.js'
import { range, words } from '../support/words.js'
import { withServers } from './fixture.js'

const stopping = (copy: Mirror) => {
  onTestFinished(() => copy.stop())
  return copy
}
const all = async (log: Log, topic: string, from?: number) =>
  (await collect(log.topic(topic, { codec: text }).read({ from }))).map(({ offset, value, keyText, headers }) => ({
    ...{ offset, value, keyText, headers },
  }))

withServers({}, ({ open, servers, newName }) => {
  const copying = async (local: Log, topic: string, more: Partial<MirrorOptions> = {}, urls?: string[]) => {
    const { urls: here } = await servers()
    return stopping(await mirror(local, topic, urls ?? here, { name: 'copies', replicas: 1, giveUpMs: 2_000, ...more }))
  }

  describe('a mirror', () => {
    it('copies what was there, and what comes, with all its parts, and says how far it is', async () => {
      const local = await openLog()
      const topic = local.topic('t', { codec: text })
      await topic.append('a', { key: 'k', headers: { h: 'v' } })
      await topic.appendMany(words(2_000))
      const name = newName()
      const copy = await copying(local, 't', { name, as: 'other' })
      await copy.idle()
      expect(copy.position).toBe(2_001)
      expect(copy.lag).toBe(0)
      await topic.append('z')
      await copy.idle()
      const there = await open({ name })
      expect(await all(there, 'other')).toEqual(await all(local, 't'))
      expect(await local.groups()).toEqual([expect.objectContaining({ name: `mirror.${name}.other`, lag: 0 })])
      await copy.stop()
      await copy.finished
      await topic.append('too late')
      expect((await codedFailureOf(() => copy.idle())).code).toBe('BOOKEND_CLOSED')
      expect(await there.topic('other').bounds()).toEqual({ first: 0, next: 2_002 })
    })

    it('goes on where the copy ends, not where it believes that it was', async () => {
      const local = await openLog()
      const topic = local.topic('t', { codec: text })
      await topic.appendMany(words(100))
      const name = newName()
      const first = await copying(local, 't', { name })
      await first.idle()
      await first.stop()
      await topic.appendMany(words(100, 100))
      // Whoever trusts its own position would now begin too early, or too late.
      const [group] = await local.groups()
      for (const wrong of [0, 150]) {
        await topic.group(group.name).seek(wrong)
        const again = await copying(local, 't', { name })
        await again.idle()
        await again.stop()
      }
      expect(await all(await open({ name }), 't')).toEqual(await all(local, 't'))
    })

    it('keeps offsets where the first messages were trimmed away before', async () => {
      const local = await openLog()
      const topic = local.topic('t', { codec: text })
      await topic.appendMany(words(50))
      await topic.trim(20)
      const name = newName()
      const copy = await copying(local, 't', { name })
      await copy.idle()
      const there = await open({ name })
      expect(await there.topic('t').bounds()).toEqual({ first: 20, next: 50 })
      expect(await all(there, 't', 20)).toEqual(await all(local, 't', 20))
    })

    it('does not write into what is no copy of its topic', async () => {
      const name = newName()
      const there = await open({ name })
      const local = await openLog()
      await local.topic('t', { codec: text }).appendMany(words(5))
      await there.topic('t', { codec: text }).appendMany(['other', 'words'])
      const copy = await copying(local, 't', { name })
      expect((await codedFailureOf(() => copy.finished)).code).toBe('BOOKEND_FORMAT')
      expect((await codedFailureOf(() => copy.idle())).code).toBe('BOOKEND_FORMAT')
      await there.topic('longer', { codec: text }).appendMany(words(9))
      const shorter = await copying(local, 't', { name, as: 'longer' })
      expect((await codedFailureOf(() => shorter.finished)).message).toContain('9 messages, and there are 5')
      expect(await all(there, 't')).toHaveLength(2)
    })

    it('that has been overtaken by a trim says so, and copies nothing behind the gap', async () => {
      const local = await openLog()
      const topic = local.topic('t', { codec: text })
      await topic.appendMany(words(10))
      const name = newName()
      const first = await copying(local, 't', { name })
      await first.idle()
      await first.stop()
      await topic.appendMany(words(10, 10))
      await topic.trim(15)
      const copy = await copying(local, 't', { name })
      const error = await codedFailureOf(() => copy.finished)
      expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', offset: 10, first: 15 })
      expect(await (await open({ name })).topic('t').bounds()).toEqual({ first: 0, next: 10 })
    })

    it('begins while the servers are away, and loses nothing when answers are lost', async () => {
      const local = await openLog()
      const topic = local.topic('t', { codec: text })
      await topic.appendMany(words(10))
      const name = newName()
      const passage = await Passage.to((await servers()).urls[0])
      onTestFinished(() => passage.close())
      const copy = await copying(local, 't', { name }, [passage.url])
      await copy.idle()
      for (let round = 0; round < 3; round++) {
        passage.loseAnswers()
        await topic.appendMany(words(10, 10 + 10 * round))
        await new Promise((resolve) => setTimeout(resolve, 100))
        passage.cut()
        await copy.idle()
      }
      expect(await all(await open({ name }), 't')).toEqual(await all(local, 't'))
    })

    it('is whole after kills of the application and of the server, in any order', async () => {
      const folder = temporaryFolder()
      const { urls, nodes } = await servers()
      let acked = -1
      const life = () => {
        const program = start('mirror-app.mjs', [folder, urls.join(','), '1'])
        return {
          program,
          seen: () => Math.max(-1, ...[...program.output().matchAll(/acked (\d+)/g)].map(([, n]) => Number(n))),
        }
      }
      for (let round = 0; round < 8; round++) {
        const { program, seen } = life()
        await until('it appends', () => seen() > acked)
        if (round % 2 === 1) {
          await nodes[0].kill()
          await new Promise((resolve) => setTimeout(resolve, 50 * round))
        } else await new Promise((resolve) => setTimeout(resolve, 40 * round))
        program.process.kill('SIGKILL')
        await program.ended
        acked = Math.max(acked, seen())
        if (round % 2 === 1) await nodes[0].restart()
      }
      const { program, seen } = life()
      await until('it appends', () => seen() > acked)
      program.process.kill('SIGTERM')
      expect((await program.ended).output).toContain('drained')
      acked = Math.max(acked, seen())
      const local = await openLocal(folder)
      onTestFinished(() => local.close())
      const here = await all(local, 'outbox')
      expect(here.length).toBeGreaterThan(acked)
      expect(here.map(({ value }) => value)).toEqual(range(0, here.length).map((number) => `message ${number}`))
      expect(await all(await open({ name: 'copies' }), 'outbox')).toEqual(here)
    })
  })

  describe('a replay', () => {
    it('copies a topic into a local log, and goes on where that ends', async () => {
      const there = await open()
      const topic = there.topic('t', { codec: text })
      await topic.append('a', { key: 'k', headers: { h: 'v' } })
      await topic.appendMany(words(700))
      const folder = temporaryFolder()
      for (let round = 0; round < 3; round++) {
        const local = await openLocal(folder)
        const copy = stopping(await replay(there, 't', local, { as: 'here' }))
        await copy.idle()
        await topic.append(`later ${round}`)
        await copy.idle()
        await copy.stop()
        expect(await all(local, 'here')).toEqual(await all(there, 't'))
        await local.close()
      }
    })

    it('of a trimmed topic says where each message stood', async () => {
      const there = await open()
      const topic = there.topic('t', { codec: text })
      await topic.appendMany(words(20))
      await topic.trim(15)
      const folder = temporaryFolder()
      for (const count of [5, 6]) {
        const local = await openLocal(folder)
        const copy = stopping(await replay(there, 't', local))
        await copy.idle()
        await copy.stop()
        const here = await all(local, 't')
        expect(here.map(({ headers }) => Number(headers?.['bookend-offset']))).toEqual(range(15, 15 + count))
        expect(here.map(({ value }) => value)).toEqual((await all(there, 't', 15)).map(({ value }) => value))
        await local.close()
        await topic.append('more')
      }
    })
  })
})

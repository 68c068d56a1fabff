/** Scans read over connections of their threads, which may be lost, and cannot always be made. */
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf } from '../scenarios/support.js'
import { Passage } from '../support/nats/passage.js'
import { withServers } from './fixture.js'

const slow = new URL('../fixtures/scan-bad.mjs?slow', import.meta.url)
const sum = new URL('../fixtures/scan-sum.mjs', import.meta.url)

withServers({}, ({ open, servers }) => {
  it('a scan whose connections are lost goes on where it was', async () => {
    const [url] = (await servers()).urls
    const passage = await Passage.to(url)
    onTestFinished(() => passage.close())
    const log = await open({ readers: 2 }, passage.url)
    const topic = log.topic('t')
    for (let round = 0; round < 6; round++)
      await topic.appendMany(Array.from({ length: 1_000 }, () => new Uint8Array(1_000)))
    const scanning = topic.scan<number>(slow)
    let isOver = false
    const over = () => {
      isOver = true
    }
    scanning.then(over, over)
    for (let cuts = 0; cuts < 10 && !isOver; cuts++) {
      await new Promise((resolve) => setTimeout(resolve, 30))
      passage.cut()
    }
    expect(await scanning).toBe(6_000)
    const all = await topic.scan<{ count: number; runs: [number, number][] }>(sum)
    expect(all).toMatchObject({ count: 6_000, runs: [[0, 5_999]] })
  })

  it('is not there where the options of the client cannot go to threads, and says so before anything is done', async () => {
    const log = await open({ client: { authenticator: () => undefined } })
    expect(log.supports.scan).toBe(false)
    await log.topic('t').append(new Uint8Array(1))
    expect((await codedFailureOf(() => log.topic('t').scan(sum))).code).toBe('BOOKEND_UNSUPPORTED')
  })
})

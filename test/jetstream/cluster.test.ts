/** What is met on several nodes only. */
import { connect } from '@nats-io/transport-node'
import { text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { leaderOf } from '../faults/jetstream/world.js'
import { collect, until } from '../scenarios/support.js'
import type { Node, Servers } from '../support/nats/servers.js'
import { range, words } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({ nodes: 3 }, ({ open, servers, newName }) => {
  it('an append whose first try is still on its way to the other nodes is tried again, and written once', async () => {
    const name = newName()
    const cluster = await servers()
    await (await open({ name })).topic('t', { codec: text }).append('0')
    // One without the others stops leading by itself, some day, and then nobody is asked: on a slow machine it may take another try.
    for (let offset = 1, isTried = false; !isTried; offset += 3) {
      const leader = await leading(cluster, name)
      // Whoever leads answers, and refuses a message that it has and cannot store.
      const log = await open({ name }, leader.url)
      const topic = log.topic('t', { codec: text })
      expect((await topic.bounds()).next).toBe(offset)
      const values = range(offset, offset + 3).map(String)
      const { appended } = await withoutOthers(cluster, leader, async () => {
        const appended = Promise.all([topic.append(values[0]), topic.appendMany(values.slice(1))])
        // Heard below, when the others are there again.
        appended.catch(() => {})
        const endMs = performance.now() + 10_000
        await until('it was tried a second time, or is not any more', () => {
          isTried = (log.stats().connection?.retries ?? 0) >= 2
          return isTried || performance.now() > endMs
        })
        return { appended }
      })
      expect(await appended).toEqual([offset, { first: offset + 1, count: 2 }])
      expect((await collect(topic.read())).map(({ value }) => value)).toEqual(range(0, offset + 3).map(String))
    }
  })
  it('a leader that goes on to say that an append is under way is asked to let another one lead', async () => {
    const name = newName()
    const cluster = await servers()
    await (await open({ name })).topic('t', { codec: text }).append('0')
    let isAsked = false
    // Whichever is stopped.
    for (const { url } of cluster.nodes) {
      const nc = await connect({ servers: url })
      onTestFinished(() => nc.close())
      nc.subscribe(`$JS.API.STREAM.LEADER.STEPDOWN.${name}+t`, {
        callback() {
          isAsked = true
        },
      })
      await nc.flush()
    }
    // One without the others stops leading by itself, some day: on a slow machine it may take another try.
    for (let offset = 1; !isAsked; offset++) {
      const leader = await leading(cluster, name)
      const topic = (await open({ name, giveUpMs: 30_000 }, leader.url)).topic('t', { codec: text })
      expect((await topic.bounds()).next).toBe(offset)
      const { appended } = await withoutOthers(cluster, leader, async () => {
        const appended = topic.append(String(offset))
        appended.catch(() => {})
        const endMs = performance.now() + 10_000
        await until('it is asked, or leads no more', () => isAsked || performance.now() > endMs)
        return { appended }
      })
      expect(await appended).toBe(offset)
      const stored = (await collect(topic.read())).map(({ value }) => value)
      expect(stored).toEqual(range(0, offset + 1).map(String))
    }
  })
  it('a pop that does not wait is given the one message that is there', async () => {
    const queue = (await open()).queue('q', { codec: text })
    for (const value of words(30)) {
      await queue.push(value)
      expect(await queue.pop()).toBe(value)
    }
    expect(await queue.pop()).toBeUndefined()
  })
})

async function leading(cluster: Servers, name: string): Promise<Node> {
  let leader: Node | undefined
  await until('one leads', async () => {
    leader = await leaderOf(cluster, `${name}+t`)
    return leader !== undefined
  })
  return leader as unknown as Node
}

/** Stops all but one of them meanwhile. Whatever comes of it they go on: the next test has the same ones. */
async function withoutOthers<T>({ nodes }: Servers, one: Node, act: () => Promise<T>): Promise<T> {
  const others = nodes.filter((node) => node !== one)
  for (const node of others) node.signal('SIGSTOP')
  try {
    return await act()
  } finally {
    for (const node of others) node.signal('SIGCONT')
  }
}

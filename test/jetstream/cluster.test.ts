/** What is met on several nodes only. */
import { connect } from '@nats-io/transport-node'
import { text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { leaderOf } from '../faults/jetstream/world.js'
import { collect, until } from '../scenarios/support.js'
import type { Node } from '../support/nats/servers.js'
import { range, words } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({ nodes: 3 }, ({ open, servers, newName }) => {
  it('an append whose first try is still on its way to the other nodes is tried again, and written once', async () => {
    const name = newName()
    const cluster = await servers()
    await (await open({ name })).topic('t', { codec: text }).append('a')
    const leader = await leaderOf(cluster, `${name}+t`)
    const others = cluster.nodes.filter((node) => node !== leader)
    // Whoever leads answers, and refuses a message that it has and cannot store.
    const log = await open({ name }, leader?.url)
    const topic = log.topic('t', { codec: text })
    expect((await topic.bounds()).next).toBe(1)
    for (const node of others) node.signal('SIGSTOP')
    const appended = Promise.all([topic.append('b'), topic.appendMany(['c', 'd'])])
    await until('it was tried a second time', () => (log.stats().connection?.retries ?? 0) >= 2)
    for (const node of others) node.signal('SIGCONT')
    expect(await appended).toEqual([1, { first: 2, count: 2 }])
    expect((await collect(topic.read())).map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd'])
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
      let leader: Node | undefined
      await until('one leads', async () => {
        leader = await leaderOf(cluster, `${name}+t`)
        return leader !== undefined
      })
      const others = cluster.nodes.filter((node) => node !== leader)
      const topic = (await open({ name, giveUpMs: 30_000 }, leader?.url)).topic('t', { codec: text })
      expect((await topic.bounds()).next).toBe(offset)
      for (const node of others) node.signal('SIGSTOP')
      const appended = topic.append(String(offset))
      const endMs = performance.now() + 10_000
      await until('it is asked, or leads no more', () => isAsked || performance.now() > endMs)
      for (const node of others) node.signal('SIGCONT')
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

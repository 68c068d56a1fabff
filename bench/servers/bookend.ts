/** The product, through its public face: what is done is the same on both engines. */
import { type Log, open } from 'bookend'
import { open as openJetStream } from 'bookend/jetstream'
import { benchTopic } from '../contenders/bookend.js'
import { valueAt } from '../contenders/contender.js'
import type { Job } from '../job.js'
import { Cluster } from './cluster.js'
import { isFlushed, type Messenger, mostUnderWay } from './messenger.js'

export async function openLocal(job: Job): Promise<Messenger> {
  const { directory, segmentBytes } = job
  const durability = isFlushed(job) ? 'disk' : 'process'
  return messengerOn(await open(directory, { durability, ...(segmentBytes && { segmentBytes }) }))
}

export async function openOnServers(job: Job, replicas: number): Promise<Messenger> {
  const { directory } = job
  const cluster = await Cluster.start({ directory, nodes: replicas, isFlushed: isFlushed(job) })
  // One node that flushes everything still loses what was acknowledged in groups: it does not keep the level.
  const durability = isFlushed(job) && replicas > 1 ? 'disk' : 'process'
  const log = await openJetStream(cluster.urls, { name: 'bench', replicas, durability, serverSyncs: isFlushed(job) })
  return messengerOn(log, cluster)
}

function messengerOn(log: Log, cluster?: Cluster): Messenger {
  const topic = log.topic(benchTopic)
  return {
    async appendAll(messages, values) {
      for (let index = 0; index < messages; index++) {
        while (!topic.offer(valueAt(values, index))) await topic.ready()
      }
      await log.flush()
    },

    appendOne: (value) => topic.append(value),

    async readAll(messages) {
      let bytes = 0
      let count = 0
      for await (const { value } of topic.read({ to: messages })) {
        bytes += value.length
        count++
      }
      return { messages: count, bytes }
    },

    async consumeAll(group, messages) {
      let left = messages
      const acknowledged: Promise<void>[] = []
      for await (const delivery of topic.group(group).consume({ from: 'first', prefetch: mostUnderWay })) {
        if (delivery.value.length === 0) throw new Error('an empty message was delivered')
        acknowledged.push(delivery.ack())
        if (--left === 0) break
      }
      await Promise.all(acknowledged)
    },

    async follow(receive) {
      const { next } = await topic.bounds()
      const stream = topic.read({ from: next, follow: true })
      const finished = (async () => {
        for await (const { value } of stream) if (!receive(value)) return
      })()
      return { finished }
    },

    cpuMs: () => cluster?.cpuMs() ?? 0,

    async close() {
      await log.close()
      await cluster?.stop()
    },
  }
}

/** The client of NATS by itself, as its documentation has it: what somebody would write without a log. */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { valueAt } from '../contenders/contender.js'
import type { Job } from '../job.js'
import { Cluster } from './cluster.js'
import { isFlushed, type Messenger, mostUnderWay } from './messenger.js'

const [stream, subject] = ['bench', 'bench.messages']

export async function openClient(job: Job, replicas: number): Promise<Messenger> {
  const cluster = await Cluster.start({ directory: job.directory, nodes: replicas, isFlushed: isFlushed(job) })
  const nc = await connect({ servers: cluster.urls })
  const manager = await jetstreamManager(nc)
  const client = jetstream(nc)
  const config = { name: stream, subjects: [subject], storage: StorageType.File, num_replicas: replicas }
  await manager.streams.add({ ...config, allow_direct: true })
  return {
    /** The next is published when one of a thousand is answered. */
    async appendAll(messages, values) {
      let next = 0
      const publisher = async () => {
        while (next < messages) await client.publish(subject, valueAt(values, next++))
      }
      await Promise.all(Array.from({ length: Math.min(mostUnderWay, messages) }, publisher))
    },

    appendOne: (value) => client.publish(subject, value),

    async readAll(messages) {
      const count = { messages: 0, bytes: 0 }
      const received = await (await client.consumers.get(stream)).consume({ max_messages: mostUnderWay })
      for await (const { data } of received) {
        count.bytes += data.length
        if (++count.messages === messages) break
      }
      return count
    },

    async consumeAll(group, messages) {
      const ackPolicy = AckPolicy.Explicit
      await manager.consumers.add(stream, { durable_name: group, ack_policy: ackPolicy, max_ack_pending: mostUnderWay })
      let left = messages
      const acknowledged: Promise<boolean>[] = []
      const received = await (await client.consumers.get(stream, group)).consume({ max_messages: mostUnderWay })
      for await (const message of received) {
        if (message.data.length === 0) throw new Error('an empty message was delivered')
        acknowledged.push(message.ackAck())
        if (--left === 0) break
      }
      if ((await Promise.all(acknowledged)).includes(false)) throw new Error('an acknowledgement was not answered')
    },

    async follow(receive) {
      const consumer = await client.consumers.get(stream, { deliver_policy: DeliverPolicy.New })
      const received = await consumer.consume()
      // The request is on its way before what is published from now on.
      await nc.flush()
      const finished = (async () => {
        for await (const { data } of received) if (!receive(data)) return
      })()
      return { finished }
    },

    cpuMs: () => cluster.cpuMs(),

    async close() {
      await nc.close()
      await cluster.stop()
    },
  }
}

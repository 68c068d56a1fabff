/**
 * A node that was killed may not know what it gave away in its last moments, and one that takes over may not have heard of it. So does not one whose
 * consumer was set back by another client.
 */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { consumerOf, streamOf } from '../../src/jetstream/server/names.js'
import { temporaryFolder } from '../scenarios/support.js'
import { HandlerRecord } from '../support/recording-handler.js'
import { range, take, words } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({}, ({ open, newName, servers }) => {
  /** Everything that the group was given, and has done. */
  const forget = async (log: string, topic: string, group: string) => {
    const nc = await connect({ servers: (await servers()).urls })
    await (await jetstreamManager(nc)).consumers.reset(streamOf(log, topic), consumerOf(group), 1)
    await nc.close()
  }

  it('an acknowledgement resolves, although the servers do not know that they have given the message to anybody', async () => {
    const name = newName()
    const topic = (await open({ name })).topic('t', { codec: text })
    await topic.appendMany(words(20))
    const group = topic.group('g')
    // As many as it may hold: nobody asks for more.
    const deliveries = await take(group.consume({ prefetch: 20 }), 20)
    await forget(name, 't', 'g')
    for (const delivery of deliveries.reverse()) await delivery.ack()
    expect(await group.position()).toMatchObject({ committed: 20, lag: 0 })
  })

  it('a processor goes on behind what it is given again and has done, and does none of it again', async () => {
    const name = newName()
    const topic = (await open({ name })).topic('t', { codec: text })
    await topic.appendMany(words(1_000))
    const record = new HandlerRecord(temporaryFolder())
    const processor = topic.group('g').process(record.module)
    await processor.idle()
    await forget(name, 't', 'g')
    await topic.append('more')
    await processor.idle()
    expect(record.offsets()).toEqual(range(0, 1_001))
  })
})

/**
 * Writing one batch of messages to a stream, once, however often it takes to get it there.
 *
 * A batch has one id for all its tries. A single message is published with it. Several are an atomic batch of the server: all of them or
 * none, nothing of others between. What a try has written whose answer was lost is found by the next one by that id.
 *
 * A single node looks at a message's id only when it has looked at how the stream ends, and at that of a batch before: so a message that says how
 * the stream has to end is a batch as well, or a second try would be refused for what the first has written.
 */
import { JetStreamApiError } from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/transport-node'
import { BookendError } from '../../errors.js'
import { requestMs } from '../server/link.js'
import { headersOf, type Outgoing } from '../server/wire.js'

/** What the stream is to be like before the batch, or the server refuses it. */
export interface BatchWrite {
  readonly subject: string
  readonly id: string
  readonly messages: readonly Outgoing[]
  /** The stream ends with this sequence; undefined: wherever it ends. */
  readonly expectedLast?: number
}

/** What became of it. */
export interface Written {
  /** Offset of the first message. */
  readonly offset: number
  /** An earlier try had written it. */
  readonly wasFound: boolean
}

interface PublishAnswer {
  readonly seq?: number
  readonly duplicate?: boolean
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string }
}

const duplicateInBatch = 10201
const idHeader = 'Nats-Msg-Id'
const expectedLastHeader = 'Nats-Expected-Last-Sequence'

/** @param attempt each has its own number */
export async function writeBatch(nc: NatsConnection, batch: BatchWrite, attempt: number): Promise<Written> {
  const { subject, id, messages, expectedLast } = batch
  if (messages.length === 1 && expectedLast === undefined) return writeOne(nc, batch)
  // What an earlier try may have left half sent is another batch.
  const batchId = `${id}.${attempt}`
  const last = messages.length - 1
  for (const [index, message] of messages.entries()) {
    const said = headersOf(message)
    said.set('Nats-Batch-Id', batchId)
    said.set('Nats-Batch-Sequence', String(index + 1))
    if (index === 0) {
      said.set(idHeader, id)
      if (expectedLast !== undefined) said.set(expectedLastHeader, String(expectedLast))
    }
    if (index < last) {
      nc.publish(subject, message.payload, { headers: said })
      continue
    }
    said.set('Nats-Batch-Commit', '1')
    const answer = await ask(nc, subject, message.payload, said)
    if (answer.error?.err_code === duplicateInBatch) return find(nc, subject, id)
    return { offset: sequenceOf(answer) - messages.length, wasFound: false }
  }
  throw new Error('Bookend invariant broken: a batch has messages')
}

async function writeOne(nc: NatsConnection, { subject, id, messages }: BatchWrite): Promise<Written> {
  const [message] = messages
  const said = headersOf(message)
  said.set(idHeader, id)
  const answer = await ask(nc, subject, message.payload, said)
  return { offset: sequenceOf(answer) - 1, wasFound: answer.duplicate === true }
}

/**
 * Where the first try has put its batch: a message of the same id is answered with the sequence of the first, and not stored. The servers know
 * the id still, since all tries together last no longer than half as long as they remember it.
 */
async function find(nc: NatsConnection, subject: string, id: string): Promise<Written> {
  const said = headers()
  said.set(idHeader, id)
  const answer = await ask(nc, subject, new Uint8Array(0), said)
  const offset = sequenceOf(answer) - 1
  if (answer.duplicate === true) return { offset, wasFound: true }
  const message = `a batch was written, and the servers have forgotten where (duplicate_window); the empty message at offset ${offset} was to find it`
  throw new BookendError('BOOKEND_IO', message, { offset })
}

async function ask(
  nc: NatsConnection,
  subject: string,
  payload: Uint8Array,
  said: ReturnType<typeof headers>,
): Promise<PublishAnswer> {
  return (await nc.request(subject, payload, { headers: said, timeout: requestMs })).json<PublishAnswer>()
}

/** @throws what the server has refused it for */
function sequenceOf({ seq, error }: PublishAnswer): number {
  if (error !== undefined) throw new JetStreamApiError(error)
  if (seq === undefined) throw new Error('the answer of the server says no sequence')
  return seq
}

/**
 * Store and forward: a topic of a local log, copied into a stream. Offset n lands at sequence n + 1: every batch says how the stream has to end
 * before it, so that the servers take each message once and in its order, whatever was sent twice or lost on the way. Nothing rests on how long
 * they remember ids.
 */
import { nuid } from '@nats-io/transport-node'
import { BookendError } from '../../errors.js'
import type { Group } from '../../log/group.js'
import type { Log } from '../../log/log.js'
import type { Topic } from '../../log/topic.js'
import { checkName } from '../../log/validate.js'
import type { Message } from '../../messages/message.js'
import { StoredMessage } from '../../messages/message.js'
import { writeBatch } from '../appends/batch-write.js'
import { type JetStreamEngine, openJetStream } from '../jetstream-engine.js'
import { type CompleteOptions, completeOptions, type JetStreamOptions } from '../options.js'
import { recordsAt } from '../reads/lookups.js'
import { outgoing } from '../server/wire.js'
import { Copier, type CopyTarget, type Mirror, notACopy } from './copier.js'
import { sourceOf } from './topic-source.js'

/** As for `open`, and where it lands. */
export interface MirrorOptions extends JetStreamOptions {
  /** Name of the topic over there; that of the local one unless said. */
  as?: string
}

/**
 * Copies a topic of a local log into a topic of a log on JetStream, exactly once, from now on until it is stopped: through crashes of this process and of
 * the servers, and however long they are gone. The local group `mirror.NAME.TOPIC` stands where the copy does, so that `retention: { consumed: true }`
 * keeps what was not copied yet; its lag is that of the copy.
 * @param log opened to write, and this mirror the only one that writes into the target
 * @throws TypeError, RangeError for bad arguments. What ends the copy rejects {@link Mirror.finished}: `BOOKEND_TRIMMED` if the local log has not got any
 *   more what comes next, `BOOKEND_FORMAT` if what is there is no copy of this topic
 */
export async function mirror(
  log: Log,
  topic: string,
  servers: string | readonly string[],
  options: MirrorOptions,
): Promise<Mirror> {
  checkName('topic', topic)
  const { as = topic, ...rest } = options ?? {}
  checkName('topic', as)
  const complete = completeOptions(servers, rest)
  const local = log.topic(topic)
  const group = local.group(`mirror.${complete.name}.${as}`.slice(0, 200))
  return new Copier(
    sourceOf(local, `topic "${topic}" of ${log.directory}`),
    new StreamTarget(complete, as, local, group),
  )
}

class StreamTarget implements CopyTarget {
  readonly #options: CompleteOptions
  readonly #topic: string
  readonly #local: Topic<Uint8Array>
  readonly #group: Group<Uint8Array>
  #engine: JetStreamEngine | undefined
  #isEnded = false

  constructor(options: CompleteOptions, topic: string, local: Topic<Uint8Array>, group: Group<Uint8Array>) {
    this.#options = options
    this.#topic = topic
    this.#local = local
    this.#group = group
  }

  async begin(first: number): Promise<number> {
    const { stream } = await this.#open()
    await stream.ensure(first)
    const { first: oldest, next } = await stream.bounds()
    if (next > oldest) await this.#compare(next - 1)
    return next
  }

  async add(messages: readonly Message<Uint8Array>[]): Promise<void> {
    const { stream } = await this.#open()
    const expectedLast = messages[0].offset
    const outgoings = messages.map(({ value, key, headers }) => outgoing(value, extrasOf(key, headers)))
    const most = this.#engine?.maxMessageBytes ?? 0
    const long = outgoings.findIndex(({ payload }) => payload.length > most)
    if (long >= 0) {
      const offset = expectedLast + long
      const message = `message ${offset} of topic "${this.#local.name}" has more than the ${most} bytes that the servers take: raise max_payload`
      throw new BookendError('BOOKEND_TOO_LARGE', message, { topic: this.#local.name, offset })
    }
    // An id of its own for each try: what the first one may have written is found by how the stream ends.
    const batch = { subject: stream.subject, id: nuid.next(), messages: outgoings, expectedLast }
    const { offset } = await writeBatch(stream.link.nc, batch, 0)
    if (offset !== expectedLast)
      throw notACopy(`topic "${this.#local.name}"`, `message ${expectedLast} was stored as ${offset}`)
  }

  note(position: number): Promise<void> {
    return this.#group.seek(position)
  }

  async end(): Promise<void> {
    this.#isEnded = true
    await this.#engine?.close()
  }

  /** The last message over there has to be the one that is here: a stream of another log, or of one that has lost its end, is left alone. */
  async #compare(offset: number): Promise<void> {
    const { stream } = await this.#open()
    const local = await this.#local.get(offset)
    const [there] = await recordsAt(stream, [offset], { staleReads: 0 })
    if (there === undefined) throw new Error(`message ${offset} of the copy cannot be read`)
    const copied = new StoredMessage<Uint8Array>({ topic: this.#topic, decode: undefined }, there)
    const isSame =
      local === undefined || (Buffer.compare(local.value, copied.value) === 0 && local.keyText === copied.keyText)
    if (!isSame) throw notACopy(`topic "${this.#local.name}"`, `message ${offset} is another one there`)
  }

  async #open() {
    if (this.#isEnded) throw new BookendError('BOOKEND_CLOSED', 'the mirror was stopped')
    this.#engine ??= await openJetStream(this.#options)
    return this.#engine.topic(this.#topic)
  }
}

const encoder = new TextEncoder()

function extrasOf(key: Uint8Array | undefined, headers: Record<string, string> | undefined) {
  if (key === undefined && headers === undefined) return undefined
  return { key, headers: headers && encoder.encode(JSON.stringify(headers)) }
}

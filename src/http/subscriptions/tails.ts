/** Where the streams that are subscribed to end, as far as it is known: each is followed by one reader, however many subscriptions it has. */
import type { MessageStream } from '../../log/message-stream.js'
import { offsetText } from '../offsets.js'
import type { StreamState } from '../stream-state.js'
import type { StreamTopics } from '../stream-topics.js'

interface KnownTail {
  /** Its subscriptions. */
  readonly ids: Set<string>
  /** Undefined: there is no such stream. */
  stream: StreamState | undefined
  /** Position; it rises. */
  end: number
  reader: MessageStream<Uint8Array> | undefined
}

export class Tails {
  readonly #topics: StreamTopics
  readonly #streamOf: (topic: string) => StreamState | undefined
  readonly #grown: (ids: Iterable<string>) => void
  readonly #followed = new Map<string, KnownTail>()

  /**
   * @param streamOf the stream of a topic that is there, and not hidden
   * @param grown told of which subscriptions a stream has more than was known
   */
  constructor(
    topics: StreamTopics,
    streamOf: (topic: string) => StreamState | undefined,
    grown: (ids: Iterable<string>) => void,
  ) {
    this.#topics = topics
    this.#streamOf = streamOf
    this.#grown = grown
  }

  follow(topic: string, id: string): void {
    const known = this.#followed.get(topic)
    if (known !== undefined) {
      known.ids.add(id)
      return
    }
    this.#followed.set(topic, { ids: new Set([id]), stream: undefined, end: 0, reader: undefined })
    this.look(topic)
  }

  leave(topic: string, id: string): void {
    const known = this.#followed.get(topic)
    if (known === undefined || !known.ids.delete(id) || known.ids.size > 0) return
    this.#followed.delete(topic)
    void known.reader?.return()
  }

  /** The stream has been made, made anew, or is gone. */
  look(topic: string): void {
    const known = this.#followed.get(topic)
    if (known === undefined) return
    void known.reader?.return()
    known.reader = undefined
    known.stream = this.#streamOf(topic)
    known.end = known.stream?.start ?? 0
    if (known.stream !== undefined) this.#wait(known, known.stream)
  }

  /** Where it ends, `-1` where there is none; and whether that is behind what is done. */
  of(topic: string, acked: string): { readonly tail: string; readonly isPending: boolean } {
    const { stream, end = 0 } = this.#followed.get(topic) ?? {}
    if (stream === undefined) return { tail: '-1', isPending: false }
    const tail = offsetText(stream, end)
    // Offsets of a stream that was there before it are below all of its own.
    return { tail, isPending: end > stream.start && (acked === '-1' || acked < tail) }
  }

  /** What has been answered as appended is known when this resolves. */
  async refresh(topics: Iterable<string>): Promise<void> {
    const looks: Promise<void>[] = []
    for (const topic of topics) {
      const known = this.#followed.get(topic)
      if (known?.stream !== undefined) looks.push(this.#lookAt(known, known.stream))
    }
    await Promise.all(looks)
  }

  close(): void {
    for (const { reader } of this.#followed.values()) void reader?.return()
    this.#followed.clear()
  }

  async #lookAt(known: KnownTail, stream: StreamState): Promise<void> {
    const end = await this.#topics.endOf(stream)
    if (known.stream === stream) known.end = Math.max(known.end, end)
  }

  #wait(known: KnownTail, stream: StreamState): void {
    const reader = this.#topics.topic(stream.topic).read({ from: stream.offsetOf(known.end), follow: true })
    known.reader = reader
    const isOver = () => known.reader !== reader
    reader.next().then(
      async ({ done }) => {
        if (isOver() || done === true) return
        await this.#lookAt(known, stream)
        if (isOver()) return
        void reader.return()
        this.#wait(known, stream)
        this.#grown(known.ids)
      },
      // Trimmed: it is deleted, which is told. Closed: so is this.
      () => {},
    )
  }
}

/**
 * Calls between a thread that is attached to a log and the one that owns it: plain messages over one port, in their order. Each end
 * names what the other may call. A call may be aborted; errors keep their code, cause and class; no call outlives the other end.
 *
 * Comlink, over which the library's own threads are called, knows neither of the first, and keeps no order between calls and answers
 * of several kinds.
 */
import type { MessagePort, Transferable } from 'node:worker_threads'
import type { KeepAlive } from '../../dispatcher/keep-alive.js'
import { fromPortable, type PortableError, toPortable } from '../../errors.js'

/** What one end may ask of the other. The signal fires when the caller gives the call up, or is gone. */
export type Callable<T> = { [K in keyof T]: (signal: AbortSignal, ...args: never[]) => unknown }

export type ArgumentsOf<F> = F extends (signal: AbortSignal, ...args: infer A) => unknown ? A : never
export type AnswerOf<F> = F extends (...args: never[]) => infer R ? Moved<Awaited<R>> : never
type Moved<R> = R extends Transferred<infer V> ? V : R

/** An answer, with what of it is moved and not copied. */
export class Transferred<V> {
  readonly value: V
  readonly moved: readonly Transferable[]

  constructor(value: V, moved: readonly Transferable[]) {
    this.value = value
    this.moved = moved
  }
}

type Packet =
  | { kind: 'call'; number: number; name: string; args: unknown[] }
  /** A call that nobody waits for. */
  | { kind: 'tell'; name: string; args: unknown[] }
  | { kind: 'abort'; number: number }
  | { kind: 'answer'; number: number; value: unknown }
  | { kind: 'failure'; number: number; error: PortableError }

interface AskedCall {
  resolve(value: unknown): void
  reject(error: unknown): void
}

export interface CallPartyParts<Own extends Callable<Own>> {
  port: MessagePort
  /** What the other end may call. */
  own: Own
  /** The other end is gone, or has closed. */
  onEnd(): void
  /** Held while an answer is awaited; without it the event loop may end meanwhile. */
  keepAlive?: Pick<KeepAlive, 'during'>
}

/** One end. */
export class CallParty<Own extends Callable<Own>, Other extends Callable<Other>> {
  readonly #port: MessagePort
  readonly #own: Own
  readonly #keepAlive: CallPartyParts<Own>['keepAlive']
  readonly #pending = new Map<number, AskedCall>()
  readonly #running = new Map<number, AbortController>()
  #number = 0
  #failure: Error | undefined

  /** Does not keep the event loop alive. */
  constructor({ port, own, onEnd, keepAlive }: CallPartyParts<Own>) {
    this.#keepAlive = keepAlive
    this.#port = port
    this.#own = own
    port.on('message', (packet: Packet) => this.#receive(packet))
    port.once('close', onEnd)
    port.unref()
  }

  /** How many calls are under way, in both directions. */
  get pendingCount(): number {
    return this.#pending.size + this.#running.size
  }

  call<K extends keyof Other & string>(name: K, ...args: ArgumentsOf<Other[K]>): Promise<AnswerOf<Other[K]>> {
    return this.callUntil(undefined, name, ...args)
  }

  /** The other end hears of an abort, and ends the call as it sees fit: then the signal's reason is thrown. */
  callUntil<K extends keyof Other & string>(
    signal: AbortSignal | undefined,
    name: K,
    ...args: ArgumentsOf<Other[K]>
  ): Promise<AnswerOf<Other[K]>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const number = this.#number++
    const settled = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(number, { resolve, reject })
    })
    const answer = this.#keepAlive?.during(settled) ?? settled
    this.#post({ kind: 'call', number, name, args })
    if (signal === undefined) return answer as Promise<AnswerOf<Other[K]>>
    const abort = () => this.#post({ kind: 'abort', number })
    signal.addEventListener('abort', abort)
    return answer
      .catch((error) => {
        throw signal.aborted ? signal.reason : error
      })
      .finally(() => signal.removeEventListener('abort', abort)) as Promise<AnswerOf<Other[K]>>
  }

  /** A call without an answer. Does nothing once the other end is gone. */
  tell<K extends keyof Other & string>(name: K, ...args: ArgumentsOf<Other[K]>): void {
    if (this.#failure === undefined) this.#post({ kind: 'tell', name, args })
  }

  /** AskedCall calls fail with `error`, and later ones; what the other end has asked for is aborted. */
  end(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const controller of this.#running.values()) controller.abort(error)
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    this.#port.close()
  }

  #post(packet: Packet, moved: readonly Transferable[] = []): void {
    this.#port.postMessage(packet, moved)
  }

  #receive(packet: Packet): void {
    switch (packet?.kind) {
      case 'call':
        void this.#answer(packet.number, packet.name, packet.args)
        break
      case 'tell':
        this.#functionOf(packet.name)(neverAborted, ...(packet.args as never[]))
        break
      case 'abort':
        this.#running.get(packet.number)?.abort()
        break
      case 'answer':
        this.#settle(packet.number)?.resolve(packet.value)
        break
      case 'failure':
        this.#settle(packet.number)?.reject(fromPortable(packet.error))
        break
      // Others may send messages into any port; they are none of ours.
    }
  }

  #settle(number: number): AskedCall | undefined {
    const pending = this.#pending.get(number)
    this.#pending.delete(number)
    return pending
  }

  async #answer(number: number, name: string, args: unknown[]): Promise<void> {
    const controller = new AbortController()
    this.#running.set(number, controller)
    try {
      const answer = await this.#functionOf(name)(controller.signal, ...(args as never[]))
      if (this.#failure !== undefined) return
      if (answer instanceof Transferred) this.#post({ kind: 'answer', number, value: answer.value }, answer.moved)
      else this.#post({ kind: 'answer', number, value: answer })
    } catch (error) {
      if (this.#failure === undefined) this.#post({ kind: 'failure', number, error: toPortable(error) })
    } finally {
      this.#running.delete(number)
    }
  }

  #functionOf(name: string): (signal: AbortSignal, ...args: never[]) => unknown {
    if (!Object.hasOwn(this.#own, name)) throw new TypeError(`no call is named ${JSON.stringify(name)}`)
    return this.#own[name as keyof Own]
  }
}

const neverAborted = new AbortController().signal

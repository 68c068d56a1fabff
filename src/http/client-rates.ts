/** How often a client may ask: so many a second, some more at once if it has asked for less before. */
const burstSeconds = 10
/** Those that are not heard of for so long are as good as new. */
const maxClients = 10_000

export class ClientRates {
  readonly #perSecond: number
  readonly #nowMs: () => number
  readonly #clients = new Map<string, { left: number; atMs: number }>()

  constructor(perSecond: number, nowMs: () => number) {
    this.#perSecond = perSecond
    this.#nowMs = nowMs
  }

  /** False: it is too much. */
  take(client: string | undefined): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY || client === undefined) return true
    const most = Math.max(1, this.#perSecond * burstSeconds)
    const nowMs = this.#nowMs()
    const known = this.#clients.get(client) ?? { left: most, atMs: nowMs }
    const left = Math.min(most, known.left + ((nowMs - known.atMs) / 1_000) * this.#perSecond)
    // Behind the others: the one that was not heard of for the longest time comes first.
    this.#clients.delete(client)
    if (this.#clients.size >= maxClients) this.#clients.delete(this.#clients.keys().next().value as string)
    this.#clients.set(client, { left: left >= 1 ? left - 1 : left, atMs: nowMs })
    return left >= 1
  }
}

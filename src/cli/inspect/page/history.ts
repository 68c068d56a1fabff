/** The last minutes, of what the pictures said: the server keeps none, so charts begin when the page is opened. */
import type { Picture } from '../api.js'

const kept = 600

export interface Moment {
  /** Seconds since the epoch. */
  at: number
  messagesPerSecond: number
  bytesPerSecond: number
  /** Published, and not yet on the device. */
  unflushedBytes: number
  /** By `topic group of`. */
  lags: ReadonlyMap<string, number>
  /** By topic. */
  rates: ReadonlyMap<string, number>
}

export class History {
  readonly moments: Moment[] = []
  #last: Picture | undefined

  add(picture: Picture): void {
    const last = this.#last
    this.#last = picture
    const seconds = last === undefined ? 0 : (picture.at - last.at) / 1000
    // The picture itself is of up to a second ago where several look.
    if (last === undefined || seconds <= 0) return
    const before = new Map(last.topics.map(({ name, next }) => [name, next]))
    const rates = new Map(
      picture.topics.map(({ name, next }) => [name, Math.max(0, next - (before.get(name) ?? 0)) / seconds]),
    )
    this.moments.push({
      at: picture.at / 1000,
      messagesPerSecond: [...rates.values()].reduce((sum, rate) => sum + rate, 0),
      bytesPerSecond: Math.max(0, picture.published - last.published) / seconds,
      unflushedBytes: picture.published - picture.durable,
      lags: new Map(picture.groups.map((group) => [lagName(group), group.lag ?? 0])),
      rates,
    })
    if (this.moments.length > kept) this.moments.shift()
  }
}

export function lagName({ topic, group, of }: { topic: string; group: string; of: string }): string {
  return of === 'log' ? `${group} of ${topic}` : `${group} of ${topic}, in a follower`
}

/** Values and deliveries as the cases write them down. */
import type { Delivery, Message } from 'bookend'

export const words = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `m${from + index}`)

export const valuesOf = <T>(messages: readonly (Message<T> | undefined)[]) => messages.map((message) => message?.value)

export const range = (first: number, end: number) => Array.from({ length: end - first }, (_, index) => first + index)

export const offsetsOf = (messages: readonly Message<unknown>[]) => messages.map(({ offset }) => offset)

export async function take<T>(consumer: AsyncIterableIterator<Delivery<T>>, count: number): Promise<Delivery<T>[]> {
  const taken: Delivery<T>[] = []
  while (taken.length < count) {
    const { done, value } = await consumer.next()
    if (done) throw new Error(`the consumer ended after ${taken.length} of ${count}`)
    taken.push(value)
  }
  return taken
}

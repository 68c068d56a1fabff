/** Messages of all sizes, handed to a topic in all ways. */
import type { Topic } from 'bookend'
import { expect } from 'vitest'

/** Lengths on both sides of everything that has a border: alignment, batch, ring share, ring. */
const edges = [
  0, 1, 7, 8, 9, 100, 4_095, 16_367, 16_368, 16_369, 16_384, 65_487, 65_488, 65_536, 70_000, 131_073, 300_000,
]

/** For logs with these options. */
export const mixedOptions = { ringBytes: 64 << 10, maxMessageBytes: 400_000 }

/** Resolves when all of them are acknowledged, those included that were offered. @returns their lengths */
export async function appendInEveryWay(
  topic: Topic<Uint8Array>,
  flush: () => Promise<void>,
  random: () => number,
): Promise<readonly number[]> {
  const sent: number[] = []
  const acks: Promise<unknown>[] = []
  const take = () => {
    const index = sent.length
    sent.push(random() < 0.3 ? edges[Math.floor(random() * edges.length)] : Math.floor(random() * 900))
    return bytesOf(sent, index)
  }
  for (let step = 0; step < 900; step++) {
    const first = sent.length
    const way = Math.floor(random() * 3)
    if (way === 0) {
      acks.push(topic.append(take()).then((offset) => expect(offset).toBe(first)))
    } else if (way === 1) {
      const value = take()
      // Refused: nothing was taken, so it can be tried again or sent by another way.
      if (!topic.offer(value)) acks.push(topic.append(value).then((offset) => expect(offset).toBe(first)))
    } else {
      const values: Uint8Array[] = []
      for (let bytes = 0, count = 1 + Math.floor(random() * 20); values.length < count && bytes < 400_000; ) {
        values.push(take())
        bytes += values.at(-1)?.length ?? 0
      }
      const count = values.length
      acks.push(topic.appendMany(values).then((range) => expect(range).toEqual({ first, count })))
    }
    if (random() < 0.05) await Promise.all(acks)
  }
  await Promise.all(acks)
  await flush()
  return sent
}

/** Every message is there, in order and byte for byte. */
export async function expectAll(topic: Topic<Uint8Array>, sent: readonly number[]): Promise<void> {
  let index = 0
  for await (const { offset, value } of topic.read()) {
    expect(offset).toBe(index)
    if (Buffer.compare(value, bytesOf(sent, index)) !== 0) expect.fail(`message ${index} has other bytes`)
    index += 1
  }
  expect(index).toBe(sent.length)
}

function bytesOf(sent: readonly number[], index: number): Uint8Array {
  return new Uint8Array(sent[index]).fill(index % 251)
}

/**
 * Keys that are looked for together, on their way to another thread: in one piece of memory, since each of them would take along all of the buffer that
 * it is a view of.
 */

/** A key, of whose messages those below an offset count. */
export interface KeyBelow {
  readonly key: Uint8Array
  readonly to: number
}

export interface PackedKeys {
  /** One key after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where each ends in them. */
  readonly ends: Float64Array<ArrayBuffer>
  readonly below: Float64Array<ArrayBuffer>
}

export function packKeys(asked: readonly KeyBelow[]): PackedKeys {
  let end = 0
  const ends = Float64Array.from(asked, ({ key }) => {
    end += key.length
    return end
  })
  const bytes = new Uint8Array(end)
  asked.forEach(({ key }, index) => {
    bytes.set(key, ends[index] - key.length)
  })
  return { bytes, ends, below: Float64Array.from(asked, ({ to }) => to) }
}

export function unpackKeys({ bytes, ends, below }: PackedKeys): KeyBelow[] {
  return Array.from(ends, (end, index) => ({
    key: bytes.subarray(index === 0 ? 0 : ends[index - 1], end),
    to: below[index],
  }))
}

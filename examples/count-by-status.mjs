/** A scan module for parallel-count.mjs. What it returns crosses threads by structured clone: plain data only. */
const decoder = new TextDecoder()

/** One chunk of messages, in the memory of the reader thread; it is good until this returns. */
export function map(batch) {
  const counts = new Map()
  batch.forEach((bytes, start, end) => {
    const { status } = JSON.parse(decoder.decode(bytes.subarray(start, end)))
    counts.set(status, (counts.get(status) ?? 0) + 1)
  })
  return counts
}

/** Joins two neighbouring results; it may reuse its arguments. */
export function reduce(a, b) {
  for (const [status, count] of b) a.set(status, (a.get(status) ?? 0) + count)
  return a
}

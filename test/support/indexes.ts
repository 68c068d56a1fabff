import type { LiveIndex } from '../../src/storage/index/live-index.js'

/** Everything that a footer, a directory and entries are made of. */
export function whatIsStored(index: LiveIndex) {
  const { end, groupEnd, firstTime, lastTime, lastEpoch, nameBytes, isSealed } = index
  const topics = [...index.topics.values()].map(({ words, count, ...rest }) => ({
    ...{ ...rest, count },
    words: words.slice(0, count * 4),
  }))
  return { end, groupEnd, firstTime, lastTime, lastEpoch, nameBytes, isSealed, topics }
}

/**
 * Where another process writes, a file may be missing before this one has heard why. The owner makes its trim position durable before the
 * first file goes: so whoever misses one looks there, and lets the follower catch up with it.
 */

import { openSharedState } from '../../ring/shared-state.js'
import { ControlFile } from '../../storage/files/control-file.js'
import { nodeDisk } from '../../storage/files/disk.js'
import type { SharedMemory } from '../shared-memory.js'

/** Longer than any look of a follower takes that is not stopped. */
const patienceMs = 2_000

/**
 * Tells the position below which files are gone, as of now. It blocks until the follower knows it too, with the first offsets that follow
 * from it.
 */
export function ownersTrim({ state: words, directory }: SharedMemory): () => number {
  const state = openSharedState(words, 'reader')
  return () => {
    const control = ControlFile.open(nodeDisk, directory, 'read')
    control?.close()
    const trim = control?.found?.trim ?? 0
    const deadline = performance.now() + patienceMs
    while (state.trim.load() < trim && performance.now() < deadline) {
      const token = state.retirements.token()
      state.looksWanted.add(1)
      state.writer.ring()
      // Between the token and the wait: the follower rings when it has stored the position.
      if (state.trim.load() < trim) state.retirements.wait(token, patienceMs / 10)
    }
    return state.trim.load()
  }
}

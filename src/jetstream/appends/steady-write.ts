/**
 * Writing a batch whatever becomes of the servers meanwhile.
 *
 * A leader remembers which ids are on their way to the other nodes, and refuses what comes with one of them. It may remember one that is on its way no more,
 * until it stops leading or `duplicate_window` is over. So where it refuses a batch for long, another node is asked to lead: that one knows whether it has
 * been written.
 */
import { apiCodeOf, type Link, requestMs } from '../server/link.js'
import type { TopicStream } from '../server/topic-stream.js'
import { type BatchWrite, type Written, writeBatch } from './batch-write.js'

const idInProcess = 10158

/**
 * @param what for the message of the error
 * @throws what no further try would change; `BOOKEND_DISCONNECTED`, `BOOKEND_CLOSED`
 */
export function writeSteadily(stream: TopicStream, what: string, batch: BatchWrite): Promise<Written> {
  const { link, name } = stream
  const patienceMs = link.giveUpMs / 10
  let refusedSinceMs: number | undefined
  return link.trying(what, async (attempt) => {
    try {
      return await writeBatch(link.nc, batch, attempt)
    } catch (error) {
      if (apiCodeOf(error) !== idInProcess) refusedSinceMs = undefined
      else {
        const nowMs = performance.now()
        refusedSinceMs ??= nowMs
        if (nowMs - refusedSinceMs >= patienceMs) {
          refusedSinceMs = undefined
          await changeLeader(link, name)
        }
      }
      throw error
    }
  })
}

/** Where that is not permitted the batch is tried until it is given up. */
async function changeLeader({ nc }: Link, stream: string): Promise<void> {
  await nc.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, undefined, { timeout: requestMs }).catch(() => {})
}

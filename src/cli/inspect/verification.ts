/** Reading everything, and telling how far it is. */
import { verifyLog } from '../verify-pool.js'
import type { EventStream } from './answers.js'
import type { VerifyProgress, VerifyResult } from './api.js'

/** What is listed of each kind: the command lists all. */
const maxListed = 200

/** Ends early where nobody listens any more. */
export async function verifyFor(stream: EventStream, directory: string): Promise<void> {
  const state: VerifyProgress = { done: 0, total: 0 }
  const progress = (total: number) => {
    state.total = total
    stream.send('progress', state)
    return {
      advance: (more: number) => {
        state.done += more
        stream.send('progress', state)
      },
      end: () => {},
    }
  }
  const { report } = await verifyLog({ directory, threads: undefined, progress, signal: stream.signal })
  const { segments, bytes, batches, messages, damages, remarks } = report
  const listed = (found: typeof damages | typeof remarks) =>
    found.slice(0, maxListed).map(({ kind, file, position, what }) => ({ kind, file, position, what }))
  const result: VerifyResult = {
    ...{ segments, bytes, batches, messages },
    damages: listed(damages),
    remarks: listed(remarks),
  }
  stream.send('result', result)
}

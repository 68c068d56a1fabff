import { open } from 'bookend'
import { benchTopic } from '../contenders/bookend.js'

/** The product in another process. Resolves when it follows. */
export async function followBenchLog(directory: string, onMessage: (value: Uint8Array) => void): Promise<void> {
  const log = await open(directory, { readOnly: true, follow: true })
  const topic = log.topic(benchTopic)
  const { next } = await topic.bounds()
  void (async () => {
    for await (const { value } of topic.read({ from: next, follow: true })) onMessage(value)
  })()
}

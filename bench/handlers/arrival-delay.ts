/**
 * A process module that notes how long after its due time each message arrives. The notes stay in the thread until the
 * benchmark asks for them: posting each would be measured as well.
 */
import { BroadcastChannel } from 'node:worker_threads'
import type { MessageBatch } from 'bookend'
import { dueTimeOf, monotonicUs } from '../due-time.js'
import { answerChannel, askChannel } from './channels.js'

let delaysUs: number[] = []
const asked = new BroadcastChannel(askChannel)
const answers = new BroadcastChannel(answerChannel)
asked.onmessage = () => {
  answers.postMessage(Float64Array.from(delaysUs))
  delaysUs = []
}
// A reader thread ends when its log closes, whoever listens.
asked.unref()
answers.unref()

export default function noteArrival(batch: MessageBatch): void {
  const now = monotonicUs()
  for (const message of batch) delaysUs.push(now - dueTimeOf(message.value))
}

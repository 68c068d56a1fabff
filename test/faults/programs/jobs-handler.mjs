// What a job of a random programme does at each attempt, and the line that says so before it does it.
import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'

/** @param say `{ file, queue }` */
export async function act({ number, plan }, { attempt, signal }, say, mayEndProcess) {
  const line = (word) =>
    appendFileSync(say.file, `${word} ${say.queue} ${number} ${attempt} ${process.pid}-${threadId} ${Date.now()}\n`)
  line('begins')
  const what = plan[attempt - 1] ?? 'ok'
  if (what === 'throws' || (what === 'exits' && !mayEndProcess)) {
    line('fails')
    throw new Error('as planned')
  }
  if (what === 'hangs') await new Promise(() => {})
  if (what === 'blocks') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  if (what === 'exits') process.exit(3)
  if (what === 'eats') for (const eaten = []; ; ) eaten.push(new Array(100_000).fill(Math.random()))
  // Cut short where it is asked to end: it neither is done nor fails.
  if (what === 'waits') await setTimeout(30, undefined, { signal })
  line('done')
}

export default async function (batch, context) {
  for (const { value } of batch) await act(value, context, context.data, true)
}

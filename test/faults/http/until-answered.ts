/** A request that is sent again until somebody answers it: the server may be gone for a while. */
import { pause } from '../writer-process.js'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** @throws the reason of `signal` */
export async function untilAnswered(url: string, request: RequestInit, signal?: AbortSignal): Promise<Answer> {
  for (;;) {
    signal?.throwIfAborted()
    try {
      const reply = await fetch(url, { ...request, ...(signal && { signal }) })
      const text = await reply.text()
      // It says so itself: it is about to end, or has not begun.
      if (reply.status !== 503) return { status: reply.status, headers: reply.headers, text }
    } catch {
      // Nobody is there, or was there long enough.
    }
    await pause(20)
  }
}

/**
 * Takes the memory away from every view of this thread: they have length 0 afterwards, where a load would be a signal, or would find
 * what is not theirs.
 */
export function detachBuffer(buffer: ArrayBuffer): void {
  if (typeof buffer.transfer === 'function') buffer.transfer(0)
  else if (buffer.byteLength > 0) enqueueAway(buffer)
}

/** Node 20 has no such call, and refuses to post foreign memory. But a byte stream takes the memory out of what is enqueued (by its standard). */
function enqueueAway(buffer: ArrayBuffer): void {
  new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(new Uint8Array(buffer)) })
}

/**
 * Takes the memory away from every view of this thread: they have length 0 afterwards, where a load would be a signal.
 * Node 20 has no such call; there a view kept past `close` is the caller's bug with all its consequences.
 */
export function detachBuffer(buffer: ArrayBuffer): void {
  if (typeof buffer.transfer === 'function') buffer.transfer(0)
}

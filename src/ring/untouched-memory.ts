/**
 * Shared memory that costs only what is touched of it, and goes back to the system as soon as it is collected.
 *
 * The C library maps large requests by themselves, which gives exactly that. But glibc raises the bound between large and small with each
 * block that is freed, up to 32 MiB: from the second log of a process on, what stands below it is taken out of the heap, zeroed by
 * hand and so made resident as a whole, and stays there when it is freed. What is longer is never treated so. Only addresses are
 * spent on it.
 */
export const untouchedBytes = (32 << 20) + (64 << 10)

/** @param bytes what is wanted at least */
export function allocateUntouched(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(bytes, untouchedBytes))
}

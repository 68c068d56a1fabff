/** When a message that failed is tried again, and when no more. */

/** A pause between two attempts never grows beyond this. */
export const maxBackoffMs = 30_000

export interface RetryPolicy {
  /** Attempts after the first one. */
  readonly retries: number
  /** The pause after the first attempt; doubled with each further one. */
  readonly backoffMs: number
}

export function mayRetry(policy: RetryPolicy, attempt: number): boolean {
  return attempt <= policy.retries
}

/**
 * How long to wait after `attempt` has failed: between half and all of the pause, so that many that failed together do not come
 * back together.
 * @param random in [0, 1)
 */
export function backoffAfter(policy: Pick<RetryPolicy, 'backoffMs'>, attempt: number, random = Math.random()): number {
  const pauseMs = Math.min(maxBackoffMs, policy.backoffMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(pauseMs * (0.5 + random / 2))
}

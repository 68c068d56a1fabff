/** What a consumer of the server says instead of a message. */
import type { Msg } from '@nats-io/transport-node'

/** Nothing there for a request that does not wait; the request's time is over, or others have asked before; it was ended, and `description` says why. */
export const status = { heartbeat: 100, nothing: 404, expired: 408, ended: 409 } as const

/** Undefined: it is a message. Those have a subject for their acknowledgement, and no status. */
export function statusOf({ headers, data }: Msg): number | undefined {
  return headers !== undefined && headers.code > 0 && data.length === 0 ? headers.code : undefined
}

/** Calls of a handler, told to `tracing:bookend:process` in the handler's own thread: a module that sets tracing up is loaded there with it. */

import type { Handler } from '../../engine/handler.js'
import { tracing } from '../../tracing.js'

export function tracedHandler(handle: Handler<unknown>): Handler<unknown> {
  return (batch, context) => {
    if (!tracing.process.start.hasSubscribers) return handle(batch, context)
    const { topic, group, attempt } = context
    return tracing.process.tracePromise(async () => handle(batch, context), { topic, group, attempt, batch })
  }
}

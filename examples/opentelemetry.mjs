/**
 * Traces with OpenTelemetry: a message carries the trace of its append, and its consumer goes on with it. Needs the packages
 * @opentelemetry/api and @opentelemetry/sdk-trace-node.
 *
 *   node examples/opentelemetry.mjs DIRECTORY
 */
import diagnostics from 'node:diagnostics_channel'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { open, text } from 'bookend'

function print(span) {
  const place = span.parentSpanContext === undefined ? 'the first span' : 'a child'
  console.log(`${span.name}: trace ${span.spanContext().traceId}, ${place}`)
}
const exporter = { export: (ended, done) => done({ code: ended.forEach(print) ?? 0 }), shutdown: async () => {} }
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()

const tracer = trace.getTracer('bookend')
const spans = new WeakMap()
const end = (told) => {
  const span = spans.get(told)
  if (told.error) span?.setStatus({ code: SpanStatusCode.ERROR, message: String(told.error) })
  span?.end()
}
diagnostics.tracingChannel('bookend:append').subscribe({
  start(told) {
    const span = tracer.startSpan(`append ${told.topic}`, { kind: SpanKind.PRODUCER })
    spans.set(told, span)
    // What is put in here travels with the message.
    propagation.inject(trace.setSpan(context.active(), span), told.headers)
  },
  asyncEnd: end,
})
diagnostics.tracingChannel('bookend:consume').subscribe({
  start(told) {
    const parent = propagation.extract(context.active(), told.headers)
    spans.set(told, tracer.startSpan(`consume ${told.topic}`, { kind: SpanKind.CONSUMER }, parent))
  },
  asyncEnd: end,
})

const log = await open(process.argv[2])
const orders = log.topic('orders', { codec: text })
await tracer.startActiveSpan('checkout', async (span) => {
  await orders.append('tea')
  span.end()
})
for await (const delivery of orders.group('shipping').consume()) {
  await delivery.ack()
  break
}
await log.close()

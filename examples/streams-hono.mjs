// Streams in an application of Hono, which is made of requests and responses of the fetch standard: a part of its paths, with what else it does beside them.
// node examples/streams-hono.mjs [folder] [port]
import { serve } from '@hono/node-server'
import { open } from 'bookend'
import { createServer } from 'bookend/http'
import { Hono } from 'hono'

const log = await open(process.argv[2] ?? './streams-log')
const streams = createServer(log, { basePath: '/streams' })

const app = new Hono()
app.get('/', (context) => context.text('The streams are below /streams/.\n'))
app.all('/streams/*', (context) => streams.fetch(context.req.raw))

const place = { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.argv[3] ?? 0) }
const web = serve(place, ({ port }) => console.log(`http://127.0.0.1:${port}/`))

process.once('SIGTERM', async () => {
  web.close()
  // Who waits is told where to go on; then nothing is sent any more, and the log may close.
  await streams.close()
  web.closeIdleConnections()
  await log.close()
})

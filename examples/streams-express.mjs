// Streams in an application of Express: a part of its paths, with what else it does beside them.
// node examples/streams-express.mjs [folder] [port]
import { open } from 'bookend'
import { createServer } from 'bookend/http'
import express from 'express'

const log = await open(process.argv[2] ?? './streams-log')
const streams = createServer(log, { basePath: '/streams' })

const app = express()
// In front of what parses bodies: that of a stream is read by the stream.
app.use('/streams', streams.handler)
app.use(express.json())
app.get('/', (_, response) => response.send('The streams are below /streams/.\n'))

const web = app.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${web.address().port}/`)
})

process.once('SIGTERM', async () => {
  web.close()
  // Who waits is told where to go on; then nothing is sent any more, and the log may close.
  await streams.close()
  web.closeIdleConnections()
  await log.close()
})

// Streams in an application of Fastify: a part of its paths, with what else it does beside them.
// node examples/streams-fastify.mjs [folder] [port]
import { open } from 'bookend'
import { createServer } from 'bookend/http'
import fastify from 'fastify'

const log = await open(process.argv[2] ?? './streams-log')
const streams = createServer(log, { basePath: '/streams' })

const app = fastify()
app.get('/', () => 'The streams are below /streams/.\n')
app.register(async (scope) => {
  // The body of a stream is read by the stream: nothing is parsed here.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  scope.all('/streams/*', (request, reply) => {
    reply.hijack()
    streams.handler(request.raw, reply.raw)
  })
})
// Who waits is told where to go on; then nothing is sent any more, and the log may close.
app.addHook('preClose', () => streams.close())
app.addHook('onClose', () => log.close())

console.log(`${await app.listen({ host: '127.0.0.1', port: Number(process.argv[3] ?? 0) })}/`)
process.once('SIGTERM', () => app.close())

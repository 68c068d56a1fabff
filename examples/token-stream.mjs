// Tokens of a language model, streamed to browsers that may be reloaded, or lose their connection, in the middle: each goes on where it was.
// node examples/token-stream.mjs [folder] [port]      then open what it prints, in as many windows as you like
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { open } from 'bookend'
import { createServer } from 'bookend/http'

const secret = crypto.randomUUID()
const log = await open(process.argv[2] ?? './token-log')
const streams = createServer(log, {
  basePath: '/streams',
  // Pages read; only this program makes streams and writes to them.
  authorize: ({ action, header }) => action === 'read' || header('x-writer') === secret,
})
/** A stream is asked for by this program as by any other client, but without a socket. */
function ask(method, path, body, headers = {}) {
  const all = { 'content-type': 'text/plain', 'x-writer': secret, ...headers }
  return streams.fetch(new Request(`http://localhost/streams/${path}`, { method, headers: all, body }))
}

/** Stands for a model: it answers a word at a time. */
async function* answerOf(question) {
  const answer = `You asked: ${question}. Nobody knows, but each word of this answer comes to you once.`
  for (const word of answer.split(' ')) {
    await pause(50)
    yield `${word} `
  }
}

/** The model goes on whether somebody reads or not. */
async function generate(path, question) {
  for await (const token of answerOf(question)) await ask('POST', path, token)
  await ask('POST', path, undefined, { 'stream-closed': 'true' })
}

const page = readFileSync(new URL('token-stream.html', import.meta.url))

const made = await ask('PUT', 'answers/1')
const web = createHttpServer((request, response) => {
  if (request.url.startsWith('/streams/')) streams.handler(request, response)
  else response.setHeader('content-type', 'text/html').end(page)
})
web.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => console.log(`http://127.0.0.1:${web.address().port}/`))
process.once('SIGTERM', async () => {
  web.close()
  await streams.close()
  web.closeIdleConnections()
  await log.close()
})

// A run before this one may have answered already.
if (made.status === 201) await generate('answers/1', 'what is a log')

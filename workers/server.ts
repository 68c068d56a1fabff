/** Entry of a thread of `bookend serve --threads`: answers requests from the log that another thread has opened. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FromServeThread, ServeThreadData, ToServeThread } from '../src/cli/serve/thread-messages.js'
import { WebServer } from '../src/cli/serve/web-server.js'
import { createServer } from '../src/http/server.js'
import { connect } from '../src/log/log.js'

const { log: port, streams, options, limits, place } = workerData as ServeThreadData
const log = await connect(port)
const web = new WebServer(createServer(log, { ...options, streams }), limits)
if (place !== undefined) await web.listen(place, true)
parentPort?.on('message', (message: ToServeThread) => {
  if ('descriptor' in message) web.take(message.descriptor)
  else void end()
})
parentPort?.postMessage({ isReady: true } satisfies FromServeThread)

async function end(): Promise<void> {
  await web.close()
  await log.close()
  parentPort?.close()
}

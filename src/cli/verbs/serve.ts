import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { directoryArgument, port } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { untilInterrupt } from '../interrupt.js'
import { openToAppend } from '../open-log.js'
import { note, print } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options {
  port?: number
  host?: string
}

/** That of the protocol. */
const usualPort = 4437
const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/
/** Who does not send a request in that time is not waited for. */
const timeouts = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000 }

export const serve: Verb = {
  name: 'serve',
  summary: 'serve streams of the log over HTTP, by the Durable Streams protocol',
  description: `Serves the log over HTTP until Ctrl-C: PUT makes a stream, POST appends to it, GET reads it and follows it. Makes the log if there is none, and keeps its
lock. It listens on this machine only unless --host says otherwise, and asks nobody who he is: for that, use createServer of bookend/http
in a program of your own.`,
  examples: `  bookend serve ./event-log
  bookend serve ./event-log --port 0 --host 0.0.0.0`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('-p, --port <number>', `port (default: ${usualPort}; 0: any that is free)`, port)
      .option('--host <name>', 'address to listen on (default: 127.0.0.1)'),

  async run([directory], { port: wanted = usualPort, host = '127.0.0.1' }: Options) {
    // Only now: no other verb needs a server.
    const [{ createServer: createHttpServer }, { createServer }] = await Promise.all([
      import('node:http'),
      import('../../http/server.js'),
    ])
    const log = await openToAppend(directory)
    try {
      const server = createServer(log)
      const web = createHttpServer(timeouts, server.handler)
      web.listen(wanted, host)
      await once(web, 'listening')
      const { address, family, port } = web.address() as AddressInfo
      if (!loopback.test(address)) note(`${address} can be reached from elsewhere, and everybody may read and write`)
      print(`http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`)
      try {
        await untilInterrupt(
          true,
          (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        )
      } finally {
        // Nobody new; those that wait are told where to go on; then connections that nothing is sent over.
        const closed = once(web, 'close')
        web.close()
        await server.close()
        web.closeIdleConnections()
        await closed
      }
    } finally {
      await log.close()
    }
    return exitStatus.ok
  },
}

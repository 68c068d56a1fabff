import type { AddressInfo } from 'node:net'
import type { StreamServer } from '../../http/server.js'
import type { Log } from '../../log/log.js'
import { directoryArgument, durability, origins, port, positive, seconds } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { untilInterrupt } from '../interrupt.js'
import { openToAppend } from '../open-log.js'
import type { ServeOptions } from '../serve/thread-messages.js'
import type { ServePlace } from '../serve/web-server.js'
import { note, print } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options {
  port?: number
  host?: string
  threads?: number
  cors?: readonly string[]
  longPoll?: number
  durability?: 'process' | 'disk'
}

/** What serves, in this thread or in several. */
interface Serving {
  readonly address: AddressInfo
  readonly failed?: Promise<never>
  close(): Promise<void>
}

/** That of the protocol. */
const usualPort = 4437
const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/

export const serve: Verb = {
  name: 'serve',
  summary: 'serve streams of the log over HTTP, by the Durable Streams protocol',
  description: `Serves the log over HTTP until Ctrl-C: PUT makes a stream, POST appends to it, GET reads it and follows it. Makes the log if there is none, and keeps its
lock. It listens on this machine only unless --host says otherwise, and asks nobody who he is: for that, use createServer of bookend/http
in a program of your own.`,
  examples: `  bookend serve ./event-log
  bookend serve ./event-log --port 0 --host 0.0.0.0
  bookend serve ./event-log --threads 4`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('-p, --port <number>', `port (default: ${usualPort}; 0: any that is free)`, port)
      .option('--host <name>', 'address to listen on (default: 127.0.0.1)')
      .option('-t, --threads <number>', 'threads that answer (default: 1)', positive)
      .option(
        '--cors <origin>',
        "origin of pages that may use it, or '*'; may come several times (default: none)",
        origins,
      )
      .option('--long-poll <seconds>', 'how long a request waits for what comes (default: 30)', seconds)
      .option('-d, --durability <level>', 'what an answered append survives: process (default) or disk', durability),

  async run(
    [directory],
    { port = usualPort, host = '127.0.0.1', threads = 1, cors, longPoll = 30, durability }: Options,
  ) {
    // Only now: no other verb needs a server.
    const { createServer } = await import('../../http/server.js')
    const log = await openToAppend(directory, durability)
    try {
      const options = {
        longPollMs: longPoll * 1_000,
        ...(cors !== undefined && { cors: cors.includes('*') ? ('*' as const) : cors }),
      }
      const streams = createServer(log, options)
      const parts = { log, streams, place: { host, port }, threads, options }
      const serving = await (threads === 1 ? inThisThread : inThreads)(parts)
      const { address, family, port: bound } = serving.address
      if (!loopback.test(address)) note(`${address} can be reached from elsewhere, and everybody may read and write`)
      print(`http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/`)
      try {
        await untilInterrupt(true, (signal) => {
          const interrupted = new Promise<never>((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
          })
          return serving.failed === undefined ? interrupted : Promise.race([interrupted, serving.failed])
        })
      } finally {
        await serving.close()
        // Behind those that ask it.
        await streams.close()
      }
    } finally {
      await log.close()
    }
    return exitStatus.ok
  },
}

interface ServingParts {
  readonly log: Log
  readonly streams: StreamServer
  readonly place: ServePlace
  readonly threads: number
  readonly options: ServeOptions
}

async function inThisThread({ streams, place }: ServingParts): Promise<Serving> {
  const { WebServer } = await import('../serve/web-server.js')
  const web = new WebServer(streams)
  return { address: await web.listen(place, false), close: () => web.close() }
}

async function inThreads({ log, streams, place, threads, options }: ServingParts): Promise<Serving> {
  const { ServeThreads } = await import('../serve/serve-threads.js')
  return ServeThreads.start({ log, streams, options }, place, threads)
}

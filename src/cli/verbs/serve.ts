import type { AddressInfo } from 'node:net'
import { Option } from 'commander'
import type { ServerOptions } from '../../http/options.js'
import type { StreamServer } from '../../http/server.js'
import type { Log } from '../../log/log.js'
import { basePath, directoryArgument, durability, origins, port, positive, seconds } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { untilInterrupt } from '../interrupt.js'
import { openToAppend } from '../open-log.js'
import type { ServeOptions } from '../serve/thread-messages.js'
import type { ServePlace, WebLimits } from '../serve/web-server.js'
import { note, print } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options {
  port?: number
  host?: string
  threads?: number
  basePath?: string
  subscriptions?: ServerOptions['subscriptions']
  cors?: readonly string[]
  maxBody?: number
  maxMessages?: number
  maxProducers?: number
  maxConnections?: number
  rate?: number
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
const subscriptionKinds = ['off', 'pull-wake', 'webhooks', 'local-webhooks']
const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/

export const serve: Verb = {
  name: 'serve',
  summary: 'serve streams of the log over HTTP, by the Durable Streams protocol',
  description: `Serves the log over HTTP until Ctrl-C or SIGTERM: PUT makes a stream, POST appends to it, GET reads it and follows it. Makes the log if there is none, and keeps its
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
      .option('--base-path <path>', 'path below which the streams are (default: none)', basePath)
      .addOption(
        new Option(
          '--subscriptions <kind>',
          'whether others may subscribe, and how they are told (default: off)',
        ).choices(subscriptionKinds),
      )
      .option('--max-body <bytes>', 'of a request (default: 8388608)', positive)
      .option('--max-messages <number>', 'elements of a JSON array that a request may have (default: 100000)', positive)
      .option('--max-producers <number>', 'of a stream (default: 1000)', positive)
      .option('--max-connections <number>', 'at the same time, in each thread (default: 50000)', positive)
      .option('--rate <number>', 'requests a second of one address (default: any number)', positive)
      .option('--long-poll <seconds>', 'how long a request waits for what comes (default: 30)', seconds)
      .option('-d, --durability <level>', 'what an answered append survives: process (default) or disk', durability),

  async run(
    [directory],
    { port = usualPort, host = '127.0.0.1', threads = 1, durability, subscriptions = 'off', ...more }: Options,
  ) {
    // Only now: no other verb needs a server.
    const { createServer } = await import('../../http/server.js')
    const { usualLimits } = await import('../serve/web-server.js')
    const log = await openToAppend(directory, durability)
    try {
      const options = serveOptions(more)
      const streams = createServer(log, { ...options, subscriptions })
      const { maxConnections = usualLimits.maxConnections } = more
      const limits = { ...usualLimits, maxConnections }
      const parts = { log, streams, place: { host, port }, threads, options, limits }
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
  readonly limits: WebLimits
}

function serveOptions({
  basePath,
  cors,
  longPoll = 30,
  maxBody,
  maxMessages,
  maxProducers,
  rate,
}: Options): ServeOptions {
  return {
    longPollMs: longPoll * 1_000,
    ...(basePath !== undefined && { basePath }),
    ...(cors !== undefined && { cors: cors.includes('*') ? ('*' as const) : cors }),
    limits: {
      ...(maxBody !== undefined && { bodyBytes: maxBody }),
      ...(maxMessages !== undefined && { messages: maxMessages }),
      ...(maxProducers !== undefined && { producers: maxProducers }),
      ...(rate !== undefined && { requestsPerSecond: rate }),
    },
  }
}

async function inThisThread({ streams, place, limits }: ServingParts): Promise<Serving> {
  const { WebServer } = await import('../serve/web-server.js')
  const web = new WebServer(streams, limits)
  return { address: await web.listen(place, false), close: () => web.close() }
}

async function inThreads({ log, streams, place, threads, options, limits }: ServingParts): Promise<Serving> {
  const { ServeThreads } = await import('../serve/serve-threads.js')
  return ServeThreads.start({ log, streams, options, limits }, place, threads)
}

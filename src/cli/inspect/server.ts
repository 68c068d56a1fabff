/**
 * The inspector's server: Node's own http, on loopback only. The log is looked at as a follower looks at it; see access.ts for who may ask, and
 * changes.ts for what `--write` permits.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { servedStreams } from '../../http/served-streams.js'
import { deadLetterOf } from '../../log/dead-letter.js'
import type { Log } from '../../log/log.js'
import { rowOf } from '../dead-letters.js'
import { existingTopic, openToRead } from '../open-log.js'
import { Doorkeeper } from './access.js'
import { BadRequest, bodyOf, EventStream, sendError, sendJson } from './answers.js'
import type { DeadLetterPage, StreamRow } from './api.js'
import { assetAt, documentWithPolicy } from './assets.js'
import { pageOf, queryOf, wholeMessage } from './browse.js'
import { changes } from './changes.js'
import { LivePicture } from './live.js'
import { verifyFor } from './verification.js'

export interface InspectorOptions {
  directory: string
  /** 0: any that is free. */
  port: number
  isWritable: boolean
}

type Route = (url: URL, request: IncomingMessage, response: ServerResponse) => Promise<void>

const pictureEveryMs = 1_000
const maxLetters = 500

export class Inspector implements AsyncDisposable {
  /** With the token: for the person who started it. */
  readonly url: string
  readonly #server: Server
  readonly #access: Doorkeeper
  readonly #log: Log
  readonly #live: LivePicture
  readonly #options: InspectorOptions
  readonly #ended = new AbortController()

  private constructor(server: Server, log: Log, live: LivePicture, options: InspectorOptions) {
    const { port } = server.address() as AddressInfo
    this.#server = server
    this.#access = new Doorkeeper(port)
    this.#log = log
    this.#live = live
    this.#options = options
    this.url = this.#access.urlOf(port)
    server.on('request', (request, response) => void this.#answer(request, response))
  }

  /** @throws `BOOKEND_FORMAT` if there is no log; a system error if the port is taken */
  static async open(options: InspectorOptions): Promise<Inspector> {
    const log = await openToRead(options.directory)
    let live: LivePicture | undefined
    try {
      live = await LivePicture.of(options.directory, log, options.isWritable)
      const server = createServer()
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(options.port, '127.0.0.1', resolve)
      })
      return new Inspector(server, log, live, options)
    } catch (error) {
      live?.close()
      await log.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#ended.abort()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    // Streams of events have no end of their own.
    this.#server.closeAllConnections()
    await closed
    this.#live.close()
    await this.#log.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    try {
      const url = new URL(request.url ?? '/', 'http://inspector')
      const verdict = this.#access.judge(request, url)
      if (verdict === 'no token')
        throw new BadRequest(
          401,
          'open the URL that bookend inspect has printed: it carries the token of this inspector',
        )
      if (verdict !== 'granted') throw new BadRequest(403, `refused: ${verdict}`)
      const route = this.#routes[`${request.method} ${url.pathname}`]
      if (route !== undefined) await route(url, request, response)
      else if (request.method === 'POST') await this.#change(url, request, response)
      else if (request.method === 'GET') await this.#asset(url, response)
      else throw new BadRequest(405, `there is GET and POST, not ${request.method}`)
    } catch (error) {
      if (!response.destroyed) sendError(response, error)
    }
  }

  readonly #routes: Readonly<Record<string, Route>> = {
    'GET /': async (url, _request, response) => {
      if (this.#access.isEntry(url)) {
        response.writeHead(303, { location: '/', 'set-cookie': this.#access.cookie, 'cache-control': 'no-store' }).end()
        return
      }
      const { body, policy } = documentWithPolicy()
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policy,
        'cache-control': 'no-store',
      })
      response.end(body)
    },

    'GET /api/live': async (_url, _request, response) => {
      const stream = new EventStream(response)
      while (!stream.signal.aborted && !this.#ended.signal.aborted) {
        if (!stream.isBehind) {
          await this.#live.now().then(
            (picture) => stream.send('picture', picture),
            // It may be the moment: the log is repaired, or moved away. The page says so, and the next picture is tried.
            (error: Error) => stream.send('failed', { error: error.message }),
          )
        }
        await setTimeout(pictureEveryMs, undefined, {
          signal: AbortSignal.any([stream.signal, this.#ended.signal]),
        }).catch(() => {})
      }
      stream.end()
    },

    'GET /api/picture': async (_url, _request, response) => sendJson(response, await this.#live.now()),

    'GET /api/messages': async (url, _request, response) => {
      const topic = await existingTopic(this.#log, required(url, 'topic'))
      sendJson(response, await pageOf(topic, queryOf(url.searchParams), goneSignal(response)))
    },

    'GET /api/message': async (url, _request, response) => {
      const topic = await existingTopic(this.#log, required(url, 'topic'))
      const offset = offsetIn(url)
      const message = await wholeMessage(topic, offset)
      if (message === undefined) throw new BadRequest(404, `${topic.name} has no message ${offset}`)
      sendJson(response, message)
    },

    'GET /api/value': async (url, _request, response) => {
      const topic = await existingTopic(this.#log, required(url, 'topic'))
      const offset = offsetIn(url)
      const message = await topic.get(offset)
      if (message === undefined) throw new BadRequest(404, `${topic.name} has no message ${offset}`)
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename="${topic.name}-${offset}"`,
      })
      response.end(message.value)
    },

    'GET /api/dead-letters': async (url, _request, response) => {
      const topic = await existingTopic(this.#log, required(url, 'topic'))
      const page: DeadLetterPage = { letters: [], isCut: false }
      for await (const letter of this.#log.deadLetters(topic.name).list({ signal: goneSignal(response) })) {
        page.isCut = page.letters.length === maxLetters
        if (page.isCut) break
        page.letters.push(rowOf(letter))
      }
      sendJson(response, page)
    },

    'GET /api/dead-letter-topics': async (_url, _request, response) => {
      const found: string[] = []
      for (const name of await this.#log.topics()) {
        const topic = this.#log.topic(name)
        const { first, next } = await topic.bounds()
        const last = first === next ? undefined : await topic.get(next - 1)
        // A topic of letters ends with one; of which there may be none left to settle.
        if (last !== undefined && deadLetterOf(last) !== undefined) found.push(name)
      }
      sendJson(response, found)
    },

    'GET /api/streams': async (_url, _request, response) => {
      const streams = await servedStreams(this.#log, await this.#log.topics())
      sendJson(
        response,
        Array.from(streams, ([topic, stream]): StreamRow => ({ topic, ...stream })),
      )
    },

    'GET /api/verify': async (_url, _request, response) => {
      const stream = new EventStream(response)
      try {
        await verifyFor(stream, this.#options.directory)
      } catch (error) {
        stream.send('failed', { error: (error as Error).message })
      }
      stream.end()
    },
  }

  async #change(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = /^\/api\/([a-z]+)$/.exec(url.pathname)?.[1] ?? ''
    if (!Object.hasOwn(changes, name)) throw new BadRequest(404, 'there is nothing of that name')
    if (!this.#options.isWritable)
      throw new BadRequest(403, 'this inspector only looks: start it with --write to change the log')
    sendJson(response, await changes[name](this.#options.directory, await bodyOf(request)))
  }

  async #asset(url: URL, response: ServerResponse): Promise<void> {
    const asset = await assetAt(url.pathname)
    if (asset === undefined) throw new BadRequest(404, 'there is nothing of that name')
    response.writeHead(200, { 'content-type': asset.type, 'cache-control': 'no-cache' })
    response.end(asset.body)
  }
}

function required(url: URL, name: string): string {
  const value = url.searchParams.get(name)
  if (value === null || value === '') throw new BadRequest(400, `the parameter ${name} is missing`)
  return value
}

function offsetIn(url: URL): number {
  const text = required(url, 'offset')
  const offset = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(offset)) return offset
  throw new BadRequest(400, 'offset must be a whole number from 0')
}

/** Fires when the asker has gone: nobody reads on for it. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  return gone.signal
}

/** Servers of the cases, asked without sockets unless a case is about them. */
import { createServer as createHttpServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from 'bookend'
import { createServer, type ServerOptions, type StreamServer } from 'bookend/http'
import { onTestFinished } from 'vitest'
import { openLog } from '../scenarios/support.js'

export type Ask = (
  method: string,
  path: string,
  headers?: Record<string, string>,
  body?: string | Uint8Array<ArrayBuffer>,
) => Promise<Response>

export interface Streams {
  readonly log: Log
  readonly server: StreamServer
  readonly ask: Ask
}

export async function streams(options: ServerOptions = {}, opened?: Log): Promise<Streams> {
  const log = opened ?? (await openLog())
  const server = createServer(log, options)
  onTestFinished(() => server.close())
  const ask: Ask = (method, path, headers = {}, body = undefined) =>
    server.fetch(new Request(`http://streams${path}`, { method, headers, ...(body !== undefined && { body }) }))
  return { log, server, ask }
}

/** One behind a port. */
export async function listening({
  handler,
}: Pick<StreamServer, 'handler'>): Promise<{ web: Server; url: string; port: number }> {
  const web = createHttpServer(handler)
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    web.closeAllConnections()
    web.close()
  })
  const { port } = web.address() as AddressInfo
  return { web, port, url: `http://127.0.0.1:${port}` }
}

export const text = { 'content-type': 'text/plain' }
export const jsonType = { 'content-type': 'application/json' }

export function producing(id: string, epoch: number, seq: number): Record<string, string> {
  return { 'producer-id': id, 'producer-epoch': String(epoch), 'producer-seq': String(seq) }
}

/**
 * The conformance suite of the protocol, which nobody here wrote, whole.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runConformanceTests } from '@durable-streams/server-conformance-tests'
import { type Log, open } from 'bookend'
import { createServer, type StreamServer } from 'bookend/http'
import { afterAll, beforeAll, describe } from 'vitest'
import { small } from '../scenarios/support.js'

const config = { baseUrl: '', longPollTimeoutMs: 500, subscriptions: true }
const web = createHttpServer()
const folder = mkdtempSync(path.join(tmpdir(), 'bookend-http-'))
let log: Log
let server: StreamServer

beforeAll(async () => {
  log = await open(folder, small)
  // The suite has its streams there, and hooks on this machine.
  const subscribing = { basePath: '/v1/stream', subscriptions: 'local-webhooks' } as const
  server = createServer(log, { longPollMs: config.longPollTimeoutMs, cors: '*', ...subscribing })
  web.on('request', server.handler)
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  config.baseUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
})

afterAll(async () => {
  await server.close()
  web.closeAllConnections()
  web.close()
  await log.close()
  rmSync(folder, { recursive: true })
})

// Some of its cases wait for a time in which a slow machine does not come to the next line.
describe('the suite', { retry: 2 }, () => runConformanceTests(config))

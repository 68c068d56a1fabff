/** The same suite against several threads behind one port, as the command starts them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runConformanceTests } from '@durable-streams/server-conformance-tests'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { commandFile } from '../cli/command.js'

const config = { baseUrl: '', longPollTimeoutMs: 500, subscriptions: true }
const folder = mkdtempSync(path.join(tmpdir(), 'bookend-http-'))
const args = ['serve', folder, '--port', '0', '--threads', '2', '--long-poll', '0.5', '--cors', '*']
args.push('--base-path', '/v1/stream', '--subscriptions', 'local-webhooks')
const server = spawn(process.execPath, [commandFile, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })

beforeAll(async () => {
  const [line] = await once(server.stdout, 'data')
  config.baseUrl = String(line).trim().replace(/\/$/, '')
})

afterAll(async () => {
  server.kill('SIGTERM')
  const [status] = await once(server, 'exit')
  rmSync(folder, { recursive: true })
  expect(status).toBe(0)
})

// Some of its cases wait for a time in which a slow machine does not come to the next line.
describe('the suite', { retry: 2 }, () => runConformanceTests(config))

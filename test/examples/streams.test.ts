/** Streams in applications of three frameworks: each serves what it has beside them, takes bodies as they are, and ends in order. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { root } from '../docs/repository.js'
import { temporaryFolder } from './temporary-folder.js'

it.each(['express', 'fastify', 'hono'])('streams are a part of an application of %s', async (framework) => {
  const file = path.join(root, `examples/streams-${framework}.mjs`)
  const program = spawn(process.execPath, [file, temporaryFolder(), '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    program.kill('SIGKILL')
  })
  const url = String((await once(program.stdout, 'data'))[0]).trim()
  expect(await (await fetch(url)).text()).toContain('The streams are below /streams/.')
  const stream = `${url}streams/chats/7`
  const headers = { 'content-type': 'application/json' }
  expect((await fetch(stream, { method: 'PUT', headers })).status).toBe(201)
  expect((await fetch(stream, { method: 'POST', headers, body: '[1,{"two":2}]' })).status).toBe(204)
  const read = await fetch(`${stream}?offset=-1`)
  expect(await read.text()).toBe('[1,{"two":2}]')
  const offset = read.headers.get('stream-next-offset')
  const waiting = fetch(`${stream}?offset=${offset}&live=long-poll`)
  expect((await fetch(stream, { method: 'POST', headers, body: '3' })).status).toBe(204)
  expect(await (await waiting).text()).toBe('[3]')
  // An event stream is told where to go on, and the program ends.
  const events = (await fetch(`${stream}?offset=now&live=sse`)).body?.getReader()
  await events?.read()
  program.kill('SIGTERM')
  while ((await events?.read())?.done === false);
  expect(await once(program, 'exit')).toEqual([0, null])
})

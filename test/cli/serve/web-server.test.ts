import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { usualLimits, type WebLimits, WebServer } from '../../../src/cli/serve/web-server.js'
import { streams, text } from '../../http/web.js'

async function serving(limits: Partial<WebLimits>): Promise<{ url: string; open(): Promise<Socket> }> {
  const { server } = await streams()
  const web = new WebServer(server, { ...usualLimits, ...limits })
  const { port }: AddressInfo = await web.listen({ host: '127.0.0.1', port: 0 }, false)
  onTestFinished(() => web.close())
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  return { url: `http://127.0.0.1:${port}`, open }
}

/** Sends a byte whenever it can, for ever; resolves with what was answered when the server has had enough. */
async function trickle(socket: Socket, beginning: string, byte: string): Promise<string> {
  let answer = ''
  socket.on('data', (bytes) => {
    answer += bytes
  })
  socket.write(beginning)
  const timer = setInterval(() => socket.write(byte), 10)
  await new Promise((resolve) => socket.once('close', resolve))
  clearInterval(timer)
  return answer
}

it('whoever sends a head or a body a byte at a time is answered 408, and the others as ever', async () => {
  const { url, open } = await serving({ headMs: 200, requestMs: 400 })
  expect((await fetch(`${url}/a`, { method: 'PUT', headers: text })).status).toBe(201)
  const head = trickle(await open(), 'GET /a HTTP/1.1\r\nhost: x\r\nx-slow: ', 'x')
  const post = 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n'
  const body = trickle(await open(), post, 'x')
  await expect.poll(async () => (await fetch(`${url}/a`)).status, { timeout: 60_000 }).toBe(200)
  const answers = await Promise.all([head, body])
  expect(answers[0]).toMatch(/^HTTP\/1\.1 408/)
  expect(answers[1]).toMatch(/^(HTTP\/1\.1 408|$)/)
  // Nothing of the half body is there.
  await expect.poll(async () => (await fetch(`${url}/a`)).text(), { timeout: 60_000 }).toBe('')
})

it('one connection more than there may be is answered 503, until another one ends', async () => {
  const { url, open } = await serving({ maxConnections: 1 })
  const first = await open()
  first.write('GET /a HTTP/1.1\r\nhost: x\r\n\r\n')
  expect(String((await once(first, 'data'))[0])).toMatch(/^HTTP\/1\.1 404/)
  const second = await open()
  expect(String((await once(second, 'data'))[0])).toMatch(/^HTTP\/1\.1 503/)
  first.destroy()
  const status = async () =>
    (await fetch(`${url}/a`, { headers: { connection: 'close' } }).catch(() => undefined))?.status
  await expect.poll(status, { timeout: 60_000 }).toBe(404)
})

it('whoever is in the middle of a request when the server ends is told to go with the answer', async () => {
  const { server } = await streams()
  const web = new WebServer(server, usualLimits)
  const { port } = await web.listen({ host: '127.0.0.1', port: 0 }, false)
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /a HT')
  expect(String((await once(socket, 'data'))[0])).toContain('Connection: keep-alive')
  const closed = web.close()
  socket.write('TP/1.1\r\nhost: x\r\n\r\n')
  const answer = String((await once(socket, 'data'))[0])
  expect(answer).toMatch(/^HTTP\/1\.1 503/)
  expect(answer).toContain('Connection: close')
  await closed
})

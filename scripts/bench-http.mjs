#!/usr/bin/env node
// Streams over HTTP, with the protocol's own server behind files beside it, in one run over loopback: appends, catch-up reads, followers of one stream.
// node scripts/bench-http.mjs [--seconds N] [--followers N] [--only CASE...] [--rounds N]
// The clients take as much of the processor as the servers do: read the ratios, and the processor time of the server beside them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    followers: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    servers: { type: 'string', multiple: true },
  },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const { providePeer } = await import('../dist/bench/peer-packages.js')
const peer = (name) => {
  const found = providePeer(name, true, console.error)
  if (!found.isAvailable) throw new Error(`${name}: ${found.reason}`)
  return createRequire(path.join(found.directory, 'package.json'))
}
const autocannon = peer('autocannon')('autocannon')
const reference = peer('@durable-streams/server').resolve('@durable-streams/server')
const cli = path.join(root, 'dist/src/cli/main.js')

// Appends of `flush`, `reference` and `disk` are flushed to the device before they are answered, those of `process` are not.
const servers = {
  memory: () => ['-e', memoryProgram],
  flush: (directory) => ['-e', flushProgram, directory],
  reference: (directory) => ['-e', referenceProgram, reference, directory],
  disk: (directory) => [cli, 'serve', directory, '--port', '0', '--durability', 'disk'],
  'disk, 2 threads': (directory) => [cli, 'serve', directory, '--port', '0', '--durability', 'disk', '--threads', '2'],
  process: (directory) => [cli, 'serve', directory, '--port', '0'],
  'process, 2 threads': (directory) => [cli, 'serve', directory, '--port', '0', '--threads', '2'],
}
/** No server of streams: nothing is kept, and what is read comes out of memory, to see what `node:http`, sockets and the client take. */
const memoryProgram = `
  const part = Buffer.alloc(16 << 20)
  const web = require('http').createServer((request, response) => {
    if (request.method === 'GET') response.setHeader('stream-up-to-date', 'true')
    request.resume().on('end', () => {
      if (request.method === 'POST') return response.writeHead(204).end()
      for (let left = request.method === 'GET' ? 1e8 : 0; left > 0; left -= part.length) response.write(part.subarray(0, left))
      response.end()
    })
  })
  web.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + web.address().port))`
/** No server of streams: each body is written to a file, and flushed, for itself. What `node:http` and the device allow at best to one who appends alone. */
const flushProgram = `
  const fs = require('fs')
  const file = fs.openSync(process.argv[1], 'w')
  let at = 0
  const web = require('http').createServer((request, response) => {
    request.on('data', (body) => fs.writeSync(file, body, 0, body.length, (at += body.length) - body.length))
    request.on('end', () => fs.fdatasync(file, () => response.writeHead(204).end()))
  })
  fs.writeSync(file, Buffer.alloc(256 << 20))
  fs.fsyncSync(file)
  web.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + web.address().port))`
const referenceProgram = `
  const { DurableStreamTestServer } = require(process.argv[1])
  const server = new DurableStreamTestServer({ port: 0, dataDir: process.argv[2], compression: false })
  process.once('SIGTERM', () => server.stop().then(() => process.exit()))
  server.start().then((url) => console.log(url))`

const failed = ([status]) => {
  throw new Error(`the server ended with ${status}`)
}

class Server {
  static async start(name, at = process.env.BOOKEND_SCRATCH ?? tmpdir()) {
    const server = new Server()
    server.name = name
    server.directory = mkdtempSync(path.join(at, 'bookend-http-bench-'))
    await server.#run()
    return server
  }

  async #run() {
    this.child = spawn(process.execPath, servers[this.name](path.join(this.directory, 'log')), {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.url = undefined
    for (let said = ''; this.url === undefined; ) {
      said += await Promise.race([once(this.child.stdout, 'data'), once(this.child, 'exit').then(failed)])
      this.url = /(http:\/\/[\d.:]+)\/?\n/.exec(said)?.[1]
    }
    this.child.stdout.resume()
  }

  /** Goes on with what `fill` makes another one of the same kind write, in memory, where no flush is waited for: through its own requests, one after the other, that takes minutes. */
  async filled(fill) {
    const other = await Server.start(this.name, '/dev/shm')
    try {
      await fill(other)
      await Promise.all([this.#end(), other.#end()])
      rmSync(path.join(this.directory, 'log'), { recursive: true, force: true })
      cpSync(other.directory, this.directory, { recursive: true })
    } finally {
      await other.stop()
    }
    await this.#run()
  }

  async #end(signal = 'SIGTERM') {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await once(this.child, 'exit')
  }

  /** Processor time so far, s, and resident memory, bytes. */
  usage() {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'latin1').split(') ')[1].split(' ')
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'latin1')
    return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, rss: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024 }
  }

  async stop() {
    await this.#end('SIGKILL')
    rmSync(this.directory, { recursive: true })
  }
}

const type = { 'content-type': 'application/octet-stream' }
const put = (server, name) => fetch(`${server.url}/${name}`, { method: 'PUT', headers: type })

async function appends(server, { bytes, connections, streams = 1 }) {
  for (let stream = 0; stream < streams; stream++) await put(server, `s${stream}`)
  const shoot = (duration) =>
    autocannon({
      url: server.url,
      connections,
      duration,
      workers: 0,
      requests: Array.from({ length: streams }, (_, stream) => ({
        method: 'POST',
        path: `/s${stream}`,
        headers: type,
        body: Buffer.alloc(bytes, 'x'),
      })),
    })
  await shoot(1)
  const before = server.usage()
  const result = await shoot(Number(options.seconds))
  if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} failed`)
  return {
    perSecond: result.requests.total / result.duration,
    p50ms: result.latency.p50,
    p99ms: result.latency.p99,
    cpuUs: ((server.usage().cpu - before.cpu) / result.requests.total) * 1e6,
  }
}

const passes = 15

/** All of a stream of 100 MB that was appended in messages of so many bytes, by one client offset after offset; once before, so that it is in the page cache, and the code is compiled. */
async function catchUp(server, messageBytes) {
  const amount = Math.ceil(1e8 / messageBytes)
  const request = { method: 'POST', path: '/long', headers: type, body: Buffer.alloc(messageBytes, 'x') }
  const fill = async (filling) => {
    await put(filling, 'long')
    const filled = await autocannon({ url: filling.url, connections: 64, amount, requests: [request] })
    if (filled.non2xx + filled.errors > 0) throw new Error(`${filled.non2xx} refused, ${filled.errors} failed`)
  }
  if (server.name !== 'memory') await server.filled(fill)
  const read = () => readAll(`${server.url}/long`)
  for (let pass = 0; pass < 5; pass++) await read()
  const times = []
  const before = server.usage()
  let last
  for (let pass = 0; pass < passes; pass++) {
    const started = performance.now()
    last = await read()
    if (last.bytes < 1e8) throw new Error(`read ${last.bytes} bytes`)
    times.push(performance.now() - started)
  }
  const ms = times.sort((a, b) => a - b)[passes >> 1]
  return {
    mbPerSecond: 1e5 / ms,
    responses: last.responses,
    cpuUsPerMb: ((server.usage().cpu - before.cpu) * 1e6) / (100 * passes),
    rssMb: server.usage().rss / 1e6,
  }
}

/** By a client that takes next to nothing itself: `http.get` is slower than some of the servers. */
async function readAll(url) {
  const { hostname, port, pathname } = new URL(url)
  const body = new BodyReader()
  const buffer = Buffer.alloc(256 << 10)
  const onread = { buffer, callback: (length) => body.take(buffer, length) }
  const socket = net.connect({ host: hostname, port: Number(port), onread })
  // Nobody answers any more.
  const closed = once(socket, 'close').then(() => {
    throw new Error(`the connection was closed after ${body.bytes} bytes`)
  })
  closed.catch(() => {})
  await Promise.race([once(socket, 'connect'), closed])
  for (let [offset, responses] = ['-1', 1]; ; responses++) {
    socket.write(`GET ${pathname}?offset=${offset} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
    const head = await Promise.race([body.response(), closed])
    offset = /^stream-next-offset: *(\S+)/im.exec(head)?.[1]
    if (!/^stream-up-to-date: *true/im.test(head)) continue
    socket.destroy()
    return { bytes: body.bytes, responses }
  }
}

/** Counts the bytes of the bodies of responses, without looking at them. */
class BodyReader {
  bytes = 0
  #text = ''
  #head
  /** Bytes of the body, or of the chunk at hand, that are still to come. */
  #left = 0
  #isChunked = false
  #onEnd

  response() {
    return new Promise((resolve) => {
      this.#onEnd = resolve
    })
  }

  take(buffer, length) {
    for (let at = 0; at < length; ) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, length - at)
        this.#left -= part
        this.bytes += part
        at += part
        if (this.#left === 0 && !this.#isChunked) this.#end()
        continue
      }
      const ends = this.#head === undefined ? '\r\n\r\n' : '\r\n'
      this.#text += String.fromCharCode(buffer[at++])
      if (!this.#text.endsWith(ends) || this.#text === ends) continue
      const text = this.#text
      this.#text = ''
      if (this.#head === undefined) this.#begin(text)
      else this.#beginChunk(Number.parseInt(text, 16))
    }
    return true
  }

  #beginChunk(length) {
    this.#left = length
    if (length === 0) this.#end()
  }

  #begin(head) {
    this.#head = head
    this.#isChunked = /^transfer-encoding: *chunked/im.test(head)
    if (this.#isChunked) return
    this.#left = Number(/^content-length: *(\d+)/im.exec(head)[1])
    if (this.#left === 0) this.#end()
  }

  #end() {
    const head = this.#head
    this.#head = undefined
    this.#text = ''
    this.#onEnd(head)
  }
}

/** From before an append to its event at one follower. */
async function toFollower(server) {
  await put(server, 'live')
  const follower = await follow(`${server.url}/live`)
  const latencies = []
  const agent = new http.Agent({ keepAlive: true })
  for (let number = 0; number < 2_200; number++) {
    const started = performance.now()
    const seen = follower.next()
    const request = http.request(`${server.url}/live`, { method: 'POST', headers: type, agent })
    request.end('x'.repeat(100))
    request.on('response', (response) => response.resume())
    await seen
    latencies.push(performance.now() - started)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  follower.end()
  const sorted = latencies.slice(200).sort((a, b) => a - b)
  return { p50us: sorted[sorted.length >> 1] * 1000, p99us: sorted[Math.floor(sorted.length * 0.99)] * 1000 }
}

/** One event stream; `next` resolves with the next piece that has data. */
async function follow(url) {
  const request = http.get(`${url}?offset=now&live=sse`, { agent: false })
  const [response] = await once(request, 'response')
  let waiting
  response.on('data', (piece) => {
    if (piece.includes('event: data')) waiting?.()
  })
  response.on('error', () => {})
  await once(response, 'data')
  return {
    next: () =>
      new Promise((resolve) => {
        waiting = resolve
      }),
    end: () => request.destroy(),
  }
}

/**
 * Many followers of one stream: what each takes while nothing comes, and how fast 20 appends reach all, or as many as do in 20 seconds. By sockets that take next to nothing themselves: what is delivered comes in one piece with
 * its head, or with its event.
 */
async function followers(server, live) {
  await put(server, 'wide')
  // What it takes to have been asked at all is there before.
  await appends(server, { bytes: 100, connections: 64 })
  const { hostname, port } = new URL(server.url)
  const count = Number(options.followers)
  const ask = (offset) => `GET /wide?offset=${offset}&live=${live} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`
  let deliveries = 0
  let onAll
  const took = () => {
    if (++deliveries % count === 0) onAll()
  }
  const take = {
    sse: (piece) => {
      if (piece.includes('event: data')) took()
    },
    'long-poll': (piece, socket) => {
      const [, offset] = /^stream-next-offset: *(\S+)/im.exec(piece) ?? []
      if (offset === undefined) return
      socket.write(ask(offset))
      if (piece.startsWith('HTTP/1.1 200')) took()
    },
  }[live]
  const before = server.usage()
  const buffer = Buffer.alloc(64 << 10)
  const sockets = []
  for (let done = 0; done < count; done += 200)
    await Promise.all(
      Array.from({ length: Math.min(200, count - done) }, async () => {
        const callback = (length) => {
          take(buffer.latin1Slice(0, length), socket)
          return true
        }
        const socket = net.connect({ port: Number(port), host: hostname, onread: { buffer, callback } })
        socket.on('error', () => {})
        await once(socket, 'connect')
        socket.write(ask('now'))
        sockets.push(socket)
      }),
    )
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const idle = server.usage()
  const started = performance.now()
  for (let append = 0; append < 20 && performance.now() - started < 20_000; append++) {
    const arrived = new Promise((resolve) => {
      onAll = resolve
    })
    await fetch(`${server.url}/wide`, { method: 'POST', headers: type, body: 'x'.repeat(100) })
    await arrived
  }
  const seconds = (performance.now() - started) / 1000
  const after = server.usage()
  for (const socket of sockets) socket.destroy()
  return {
    deliveriesPerSecond: deliveries / seconds,
    bytesEach: (idle.rss - before.rss) / count,
    cpuUs: ((after.cpu - idle.cpu) * 1e6) / deliveries,
    rssMb: after.rss / 1e6,
  }
}

const cases = {}
for (const bytes of [100, 1024])
  for (const connections of [1, 64, 1000])
    cases[`append-${bytes}-${connections}`] = (server) => appends(server, { bytes, connections })
cases['append-100-64-streams'] = (server) => appends(server, { bytes: 100, connections: 64, streams: 64 })
for (const bytes of [1024, 10_240]) cases[`catch-up-${bytes}`] = (server) => catchUp(server, bytes)
cases['to-follower'] = toFollower
cases['followers-sse'] = (server) => followers(server, 'sse')
cases['followers-long-poll'] = (server) => followers(server, 'long-poll')

console.log(`node ${process.version}, ${availableParallelism()} cores`)
const figures = {}
for (let round = 0; round < Number(options.rounds); round++)
  for (const [name, run] of Object.entries(cases)) {
    if (options.only !== undefined && !options.only.includes(name)) continue
    for (const server of Object.keys(servers)) {
      if (server === 'memory' && !/^(append|catch-up)/.test(name)) continue
      if (server === 'flush' && !name.startsWith('append')) continue
      if (options.servers !== undefined && !options.servers.includes(server)) continue
      const started = await Server.start(server)
      try {
        const found = await run(started)
        const each = []
        for (const [figure, value] of Object.entries(found)) {
          figures[`${name} ${server} ${figure}`] = [...(figures[`${name} ${server} ${figure}`] ?? []), value]
          each.push(`${figure} ${value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)}`)
        }
        console.log(`${name.padEnd(22)} ${server.padEnd(19)} ${each.join('  ')}`)
      } catch (error) {
        console.log(`${name.padEnd(22)} ${server.padEnd(19)} FAILED: ${error.message}`)
      } finally {
        await started.stop()
      }
    }
  }
if (Number(options.rounds) > 1) {
  console.log('\nmedian (least to most)')
  for (const [name, values] of Object.entries(figures)) {
    const sorted = values.toSorted((a, b) => a - b)
    const shown = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map((value) =>
      Number(value.toPrecision(3)).toLocaleString('en-US'),
    )
    console.log(`${name.padEnd(54)} ${shown[0]} (${shown[1]} to ${shown[2]})`)
  }
}
process.exit(0)

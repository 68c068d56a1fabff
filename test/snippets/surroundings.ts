import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { expect } from 'vitest'
import type { Running, Surroundings } from './snippet.js'

/** What pages take for granted around their snippets, by page. A snippet that is not here runs as it stands. */
export const surroundings: Record<string, readonly Surroundings[]> = {
  'docs/transactions.md': [
    {
      has: 'expectedOffset: before.orders',
      before: "const orders = log.topic('orders', { codec: json }), stock = log.topic('stock', { codec: json })",
    },
    {
      has: 'tx.ack(delivery)',
      before: "const orders = log.topic('orders', { codec: json }); await orders.appendMany([{ id: 1 }, { id: 2 }])",
    },
    {
      has: "log.producer('orders.ndjson')",
      before: "const orders = log.topic('orders', { codec: json }); await orders.appendMany([{ id: 1 }, { id: 2 }])",
    },
  ],
  'docs/consuming.md': [
    {
      has: 'orders.consume(',
      before: `
        await log.topic('orders', { codec: json }).appendMany([{ id: 1 }, { id: 2 }])
        const bill = async ({ id }) => id === 1 ? undefined : setImmediate(() => log.close())
        const giveUp = async (delivery, error) => { throw error }`,
    },
    {
      has: '// deliver.js',
      before: 'const deliver = async (value) => value.id',
      isModule: true,
    },
    {
      has: "group('webhooks')",
      before: "await log.topic('orders', { codec: json }).append({ id: 1 })",
      after: 'if (processor.stats.processed !== 1) throw processor.error',
    },
    {
      has: "group('mailing')",
      before: `
        await log.topic('orders', { codec: json }).append({ id: 1 }, { key: 'c' })
        const sendMail = async ({ id }, { signal }) => signal.aborted || id`,
      after: 'if (mailing.stats.processed !== 1) throw mailing.error',
    },
    {
      has: "group('invoicing')",
      before: "await log.topic('orders', { codec: json }).append({ id: 1, customer: 'c' })",
      after: `
        const { value, keyText } = await log.topic('invoices', { codec: json }).get(0)
        if (value.order !== 1 || keyText !== 'c') throw billing.error
        await billing.stop()`,
    },
  ],
  'docs/durability.md': [
    { has: 'flushSync', before: "log.topic('t', { codec: text }).offer('value')", after: 'process.exit(0)' },
  ],
  'docs/errors.md': [
    {
      has: 'makeSpace',
      before: "const topic = log.topic('t', { codec: text }), value = 'value', makeSpace = () => {}",
    },
  ],
  'docs/observing.md': [
    {
      has: 'metricsHandler',
      drive: async (start) => {
        const program = start('--import', `data:text/javascript,${listensAnywhere}`)
        await program.said('listens at')
        const port = /listens at (\d+)/.exec(program.output)![1]
        const answer = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
        expect(answer).toContain('# TYPE bookend_messages_total counter')
        await endBySignal(program)
      },
    },
  ],
  'docs/http.md': [
    {
      has: "listen(4437, '127.0.0.1')",
      drive: async (start) => {
        const program = start('--import', `data:text/javascript,${listensAnywhere}`)
        await program.said('listens at')
        const url = `http://127.0.0.1:${/listens at (\d+)/.exec(program.output)![1]}/chats/7`
        expect(
          (await fetch(url, { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: 'Once' })).status,
        ).toBe(201)
        expect(await (await fetch(url)).text()).toBe('Once')
        await endBySignal(program)
      },
    },
    { has: "basePath: '/streams'", after: 'await server.close()' },
    { has: '// web.js', isModule: true },
    {
      has: 'streams.port()',
      before: 'process.env.PORT = 0',
      after: `
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        await worker.terminate()
        await streams.close()`,
    },
  ],
  'docs/processes.md': [
    {
      has: "from: 'next', follow: true",
      before: `
        const { open: openAsOwner, json: ofOwner } = await import('bookend')
        const owner = await openAsOwner('./event-log')
        await owner.topic('orders', { codec: ofOwner }).append('before')
        const appending = setInterval(() => owner.topic('orders', { codec: ofOwner }).append('tea'), 5)`,
      drive: async (start) => {
        const program = start()
        await program.said(' tea')
        expect(program.output).not.toContain('before')
        await endBySignal(program)
      },
    },
    { has: 'stats().follower', after: 'if (log.stats().follower !== undefined) throw log' },
  ],
  'docs/recipes/containers.md': [
    {
      has: 'SIGTERM',
      before: "process.env.LOG_DIRECTORY = './data'",
      drive: async (start) => {
        const program = start()
        await program.said('ready')
        program.child.kill('SIGTERM')
        expect(await program.ended()).toBe(0)
      },
    },
  ],
  'docs/recipes/hot-reloading.md': [{ has: '// log.js', isModule: true }],
  'docs/recipes/log-shipping.md': [
    {
      has: 'shipper.mjs',
      before: 'process.argv[2] = process.env.SERVICE',
      drive: async (start) => {
        const taken: string[] = []
        const service = createServer(async (request, response) => {
          taken.push(await readText(request))
          response.end()
        }).listen(0, '127.0.0.1')
        await once(service, 'listening')
        process.env.SERVICE = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`
        try {
          const program = start()
          program.child.stdin!.end('one\ntwo\nthree\n')
          expect([await program.ended(), program.errors]).toEqual([0, ''])
          expect(taken.join('\n').split('\n')).toEqual(['one', 'two', 'three'])
        } finally {
          delete process.env.SERVICE
          service.closeAllConnections()
          service.close()
        }
      },
    },
  ],
  'docs/recipes/webhooks.md': [
    {
      has: 'server.mjs',
      before: 'process.env.PORT = 0',
      drive: async (start) => {
        const program = start()
        await program.said('port ')
        const url = `http://127.0.0.1:${/port (\d+)/.exec(program.output)![1]}/`
        const post = async (body: string) => (await fetch(url, { method: 'POST', body })).status
        expect(await post('{"customer":"ada","event":"paid"}')).toBe(202)
        expect(await post('nonsense')).toBe(400)
        await program.said('ada: paid')
        program.child.kill('SIGTERM')
        expect([await program.ended(), program.errors]).toEqual([0, ''])
      },
    },
  ],
  'docs/testing.md': [
    { has: '// support.mjs', isModule: true },
    {
      has: 'orders.test.mjs',
      drive: async (start) => {
        const program = start('--test')
        expect([await program.ended(), program.errors]).toEqual([0, ''])
        // As TAP, or from Node 23 on as it is for people.
        expect(program.output).toMatch(/^(#|ℹ) pass 1$/m)
      },
    },
  ],
  'docs/threads.md': [
    { has: '// worker.js', isModule: true },
    {
      has: 'transferList: [...port.ports]',
      after:
        "for await (const { value } of log.topic('orders', { codec: json }).read({ follow: true })) { if (value.id !== 1) throw value; break }",
    },
  ],
  'docs/values.md': [
    {
      has: 'encrypted(json, keyRing)',
      before: 'const key = crypto.getRandomValues(new Uint8Array(32))',
      after: 'await orders.append({ id: 1 }); if ((await orders.get(0)).value.id !== 1) throw orders',
    },
    {
      has: 'unpack(bytes)',
      before: 'const pack = (order) => Buffer.from([order]), unpack = (bytes) => bytes[0]',
      after: 'await orders.append(7); if ((await orders.get(0)).value !== 7) throw orders',
    },
    {
      has: 'encodeInto(order',
      before:
        "const packInto = (order, target) => (target.set([order]), 1)\nconst orders = log.topic('orders', { codec: { encode: String, decode: (bytes) => bytes[0],",
      after: '} })\nawait orders.append(7); if ((await orders.get(0)).value !== 7) throw orders',
    },
    {
      has: 'topic.read().chunks()',
      before: "const topic = log.topic('t', { codec: text }); await topic.appendMany(['ab', 'c'])",
      after: 'if (total !== 3) throw total',
    },
  ],
}

/** The page names a port; a test takes a free one, and says which. */
const listensAnywhere = encodeURIComponent(`
  import http from 'node:http'
  const listen = http.Server.prototype.listen
  http.Server.prototype.listen = function () {
    return listen.call(this, 0, '127.0.0.1', () => console.log('listens at ' + this.address().port))
  }`)

async function endBySignal(program: Running): Promise<void> {
  program.child.kill('SIGTERM')
  expect([await program.ended(), program.errors]).toEqual(['SIGTERM', ''])
}

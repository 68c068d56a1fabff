import { MessageChannel, type Worker } from 'node:worker_threads'
import { type TransferHandler, transferHandlers } from 'comlink'
import { afterEach, expect, it } from 'vitest'
import { BookendError } from '../../src/errors.js'
import { ControlChannel, serve, transfer } from '../../src/threads/control-plane.js'

const api = {
  sum: (a: number, b: number) => a + b,
  bytes: () => {
    const bytes = new Uint8Array(8).fill(5)
    return transfer({ bytes }, [bytes.buffer])
  },
  fail: (): void => {
    throw new BookendError('BOOKEND_IO', 'the device', { position: 7, cause: new RangeError('inner') })
  },
  failLater: async (): Promise<void> => {
    throw Object.assign(new Error('mkdir'), { code: 'EROFS', errno: -30 })
  },
}

const handlersBefore = new Map(transferHandlers)
let close = () => {}
afterEach(() => {
  close()
  for (const name of transferHandlers.keys()) if (!handlersBefore.has(name)) transferHandlers.delete(name)
  for (const [name, handler] of handlersBefore) transferHandlers.set(name, handler)
})

function connect() {
  const { port1, port2 } = new MessageChannel()
  close = () => port1.close()
  serve(api, port1)
  return new ControlChannel<typeof api>(port2 as unknown as Worker, 'test').remote
}

it('calls are answered, with what is to be moved moved', async () => {
  const remote = connect()
  expect(await remote.sum(1, 2)).toBe(3)
  expect((await remote.bytes()).bytes).toEqual(new Uint8Array(8).fill(5))
})

it('errors keep class, code, details and cause', async () => {
  const remote = connect()
  const error = await remote.fail().catch((thrown) => thrown)
  expect(error).toBeInstanceOf(BookendError)
  expect(error).toMatchObject({ code: 'BOOKEND_IO', position: 7, message: 'the device' })
  expect(error.cause).toBeInstanceOf(RangeError)
  expect(await remote.failLater().catch((thrown) => thrown)).toMatchObject({ code: 'EROFS', errno: -30 })
})

it('the handlers of comlink are as comlink made them: an application may use it too', () => {
  expect([...transferHandlers.keys()]).toEqual(['proxy', 'throw'])
  // Only comlink's own knows errors as `isError`.
  const own = transferHandlers.get('throw') as TransferHandler<{ value: unknown }, unknown>
  expect(own.serialize({ value: new TypeError('mine') })[0]).toMatchObject({
    isError: true,
    value: { message: 'mine' },
  })
})

it('what an application does to the handlers of comlink does not reach our errors', async () => {
  const remote = connect()
  transferHandlers.set('throw', {
    ...(handlersBefore.get('throw') as TransferHandler<unknown, unknown>),
    serialize: () => ['gone', []],
    deserialize: () => {
      throw new Error('the handler of the application')
    },
  })
  expect(await remote.fail().catch((thrown) => thrown)).toMatchObject({ code: 'BOOKEND_IO' })
})

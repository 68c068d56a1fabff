import { open } from 'bookend/jetstream'
import { expect, it } from 'vitest'
import { codedFailureOf, failureOf } from '../scenarios/support.js'

const nowhere = 'nats://127.0.0.1:9'
const name = 'log'

it.each([
  ['a name that is none', nowhere, { name: 'a b' }, RangeError],
  ['a name that is too long', nowhere, { name: 'a'.repeat(51) }, RangeError],
  ['no name', nowhere, {}, TypeError],
  ['an option that there is not', nowhere, { name, segmentBytes: 1 }, TypeError],
  ['an even number of replicas', nowhere, { name, replicas: 2 }, RangeError],
  ['a level that there is not', nowhere, { name, durability: 'tape' }, RangeError],
  ['a retry that may come when the first try is forgotten', nowhere, { name, giveUpMs: 70_000 }, RangeError],
  ['an option of the client that is ours', nowhere, { name, client: { servers: 'x' } }, TypeError],
  ['another protocol', 'http://127.0.0.1:9', { name }, RangeError],
  ['no server', [], { name }, TypeError],
  ['monitors that are no URLs', nowhere, { name, monitors: ['host'] }, TypeError],
])('%s is refused before anybody is asked', async (_, servers, options, kind) => {
  const error = await failureOf(() => open(servers as string, options as never))
  expect(error).toBeInstanceOf(kind)
  expect(error).not.toHaveProperty('code')
})

it('servers that do not answer are BOOKEND_DISCONNECTED after giveUpMs, without their password', async () => {
  const error = await codedFailureOf(() => open('nats://user:secret@127.0.0.1:9', { name, giveUpMs: 200 }))
  expect(error.code).toBe('BOOKEND_DISCONNECTED')
  expect(error.message).toContain('nats://127.0.0.1:9/log')
  expect(error.message).not.toContain('secret')
})

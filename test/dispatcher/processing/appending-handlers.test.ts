import { expect, it } from 'vitest'
import { watchHandlerAppends } from '../../support/handler-calls.js'
import { Seeded } from '../../support/seeded.js'

it('what counts as done has been followed by what its handler has appended, however handlers, threads and writes end', async () => {
  let messages = 0
  for (let seed = 1; seed <= 30; seed++) messages += await watchHandlerAppends(new Seeded(seed))
  expect(messages).toBeGreaterThan(30)
})

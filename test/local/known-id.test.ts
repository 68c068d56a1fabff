import { expect, it } from 'vitest'
import { openLog } from '../scenarios/support.js'

it('a transaction with an id that is known is told so, and where its message is', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  for (const id of ['a', 'b']) await topic.append(new Uint8Array(1), { id })
  const again = log.transaction((tx) => tx.append(topic, new Uint8Array(1), { id: 'b' }))
  await expect(again).rejects.toMatchObject({ code: 'BOOKEND_CONFLICT', topic: 't', expected: 'none', actual: 1 })
  await expect(again).rejects.toThrow('has a message with this id, at offset 1')
})

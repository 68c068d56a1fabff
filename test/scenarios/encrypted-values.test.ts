import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { encrypted, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, temporaryFolder } from './support.js'

it('nothing of an encrypted value is in any file of the log, and without its key it is gone', async () => {
  const directory = temporaryFolder()
  const keys = new Map(['k1', 'k2'].map((id) => [id, randomBytes(32)]))
  const ring = { current: 'k1', keys }
  let log = await openLog(directory)
  const topic = log.topic('t', { codec: encrypted(text, ring) })
  await topic.append('the first secret')
  ring.current = 'k2'
  await topic.appendMany(['the second secret', 'the third secret'])
  await log.flush('disk')
  expect((await collect(topic.read())).map(({ value }) => value)).toEqual([
    'the first secret',
    'the second secret',
    'the third secret',
  ])
  await log.close()
  const files = fs.readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
  for (const { parentPath, name } of files) {
    expect(fs.readFileSync(path.join(parentPath, name)).includes('secret')).toBe(false)
  }
  keys.delete('k1')
  log = await openLog(directory)
  const again = log.topic('t', { codec: encrypted(text, ring) })
  const error = await codedFailureOf(async () => (await again.get(0))?.value)
  expect(error).toMatchObject({ code: 'BOOKEND_DECODE', topic: 't', offset: 0 })
  expect((await again.get(1))?.value).toBe('the second secret')
  await log.close()
})

/** What a log says of itself before it holds the first of it, so that a release that does not know it leaves it alone. */
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { decodeControlIdentity } from '../../src/format/control-layout.js'
import { repairedLog } from '../support/repaired-log.js'
import { realWorld } from '../support/worlds.js'
import { openLog, temporaryFolder } from './support.js'

const wordsOf = (directory: string) => decodeControlIdentity(readFileSync(path.join(directory, 'control')))?.features

it('a log says that it holds transactions with the first register or acknowledgement, and not before', async () => {
  const says = { compatible: 0, readOnlyCompatible: 1, incompatible: 0 }
  for (const what of ['register', 'acknowledgement'] as const) {
    const log = await openLog()
    const [a, b] = [log.topic('a'), log.topic('b')]
    await log.transaction((tx) => {
      tx.append(a, new Uint8Array(1))
      tx.append(b, new Uint8Array(1))
    })
    expect(wordsOf(log.directory)).toEqual({ ...says, readOnlyCompatible: 0 })
    if (what === 'register') await log.transaction((tx) => tx.set('n', 1))
    else
      for await (const delivery of a.group('g').consume()) {
        await log.transaction((tx) => tx.ack(delivery))
        break
      }
    expect(wordsOf(log.directory)).toEqual(says)
    const copy = path.join(temporaryFolder(), 'copy')
    await log.backup(copy)
    expect(wordsOf(copy)).toEqual(says)
    await log.close()
    rmSync(path.join(log.directory, 'control'))
    const { dispose, ...tools } = realWorld('file')
    dispose()
    repairedLog({ ...tools, dispose, directory: log.directory })
    expect(wordsOf(log.directory)).toEqual(says)
  }
})

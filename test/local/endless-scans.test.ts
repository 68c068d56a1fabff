import { open } from 'bookend'
import { expect, it } from 'vitest'
import { endlessScan, openLog, small, temporaryFolder } from '../scenarios/support.js'

const isClosed = { status: 'rejected', reason: { code: 'BOOKEND_CLOSED' } }

it('whatever a scan does not come back from, close ends it with its thread, and answers what waited behind it', async () => {
  const close = async (how: 'loop' | 'await') => {
    const log = await openLog(temporaryFolder(), { readers: 1 })
    const topic = log.topic('t')
    await topic.append(new Uint8Array(100))
    const endless = endlessScan(how)
    const scan = Promise.allSettled([topic.scan(endless.module)])
    await endless.begun()
    // The only thread is busy with the scan.
    const behind = topic.offsetAt(0)
    await log.close()
    expect(await behind).toBe(0)
    return scan
  }
  expect(await Promise.all([close('loop'), close('await')])).toMatchObject([[isClosed], [isClosed]])
})

it('so it is for who reads only, and for followers; and the log that they leave is sound', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  await owner.topic('t').append(new Uint8Array(100))
  const end = async (follow: boolean) => {
    const log = await open(directory, { ...small, readOnly: true, follow })
    const endless = endlessScan()
    const scan = Promise.allSettled([log.topic('t').scan(endless.module)])
    await endless.begun()
    await log.close()
    return scan
  }
  expect(await Promise.all([end(false), end(true)])).toMatchObject([[isClosed], [isClosed]])
  expect(await owner.topic('t').append(new Uint8Array(100))).toBe(1)
  expect(owner.stats().errors.count).toBe(0)
})

it('a scan that was given up before holds no close up either', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.append(new Uint8Array(100))
  const controller = new AbortController()
  const endless = endlessScan()
  const scan = Promise.allSettled([topic.scan(endless.module, { signal: controller.signal })])
  await endless.begun()
  const reason = new Error('not wanted any more')
  controller.abort(reason)
  expect(await scan).toEqual([{ status: 'rejected', reason }])
  await log.close()
})

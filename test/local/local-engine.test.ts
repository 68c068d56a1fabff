/** Two of everything: handles on one name, closings of one log, and what is called when it is over. */
import { expect, it, onTestFinished } from 'vitest'
import type { LocalEngine } from '../../src/local/local-engine.js'
import { codedFailureOf, small, temporaryFolder } from '../scenarios/support.js'

/** The built ones: their threads are built JavaScript. */
const built = (file: string) => import(new URL(`../../dist/src/${file}.js`, import.meta.url).href)
const { openLocalEngine } = (await built('local/opening')) as typeof import('../../src/local/opening.js')
const { completeOptions } = (await built('log/options')) as typeof import('../../src/log/options.js')

async function openEngine(): Promise<LocalEngine> {
  const engine = await openLocalEngine(completeOptions(temporaryFolder(), small))
  onTestFinished(() => engine.close().catch(() => {}))
  return engine
}

it('gives everybody the same topic and the same group for a name, and makes none by that', async () => {
  const engine = await openEngine()
  const topic = engine.topic('t')
  expect(engine.topic('t')).toBe(topic)
  expect(topic.group('g')).toBe(topic.group('g'))
  expect(engine.topic('u').group('g')).not.toBe(topic.group('g'))
  expect(await engine.topicNames()).toEqual([])
  expect(engine.stats().groups.count).toBe(0)
})

it('closes once, whoever closes it, and is closed for everybody from the first call on', async () => {
  const engine = await openEngine()
  const closing = engine.close()
  expect(engine.isOpen).toBe(false)
  expect(engine.close()).toBe(closing)
  const late = await codedFailureOf(() => engine.topic('t').append(new Uint8Array(1), undefined, 'process'))
  expect(late).toMatchObject({ code: 'BOOKEND_CLOSED' })
  await closing
  expect(engine.close()).toBe(closing)
})

it('publishes what was handed over before it closes', async () => {
  const engine = await openEngine()
  const topic = engine.topic('t')
  const appends = Array.from({ length: 100 }, () => topic.append(new Uint8Array(1_000), undefined, 'process'))
  await engine.close()
  expect(await Promise.all(appends)).toEqual(appends.map((_, index) => index))
})

it('stays quiet at the exit of the process when it is closed already', async () => {
  const engine = await openEngine()
  await engine.close()
  expect(() => engine.onExit()).not.toThrow()
})

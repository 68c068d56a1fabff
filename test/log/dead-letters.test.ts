import { expect, it } from 'vitest'
import type { EngineTopic } from '../../src/engine/engine.js'
import type { Durability } from '../../src/engine/terms.js'
import { EngineLog } from '../../src/log/log.js'
import { MemoryEngine } from '../support/memory-engine/memory-engine.js'

/** Says in which order it is asked for what, and refuses to flush where it is told to. */
class WatchedEngine extends MemoryEngine {
  readonly calls: string[] = []
  readonly flushed: (Durability | undefined)[] = []
  isBroken = false

  override topic(name: string) {
    const topic = super.topic(name)
    return new Proxy(topic, {
      get: (target, property) => {
        if (property === 'append' || property === 'trim') this.calls.push(`${name} ${property}`)
        const value = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      },
    }) as typeof topic & EngineTopic
  }

  override async flush(level?: Durability): Promise<void> {
    this.calls.push('flush')
    this.flushed.push(level)
    if (this.isBroken) throw new Error('no flush')
  }
}

async function withLetters(count: number) {
  const engine = new WatchedEngine()
  const log = new EngineLog(engine)
  for (let offset = 0; offset < count; offset++) {
    const headers = { 'bookend-topic': 'orders', 'bookend-offset': `${offset}`, 'bookend-attempts': '1' }
    await log.topic('failed').append(new Uint8Array(1), { headers })
  }
  engine.calls.length = 0
  return { engine, log, letters: log.deadLetters('failed') }
}

it('what is brought back is appended, then flushed, then it goes', async () => {
  const { engine, log, letters } = await withLetters(2)
  await letters.redrive()
  expect(engine.calls).toEqual(['orders append', 'orders append', 'flush', 'failed trim'])
  expect(engine.flushed).toEqual([engine.supports.durabilities.at(-1)])
  await log.close()
})

it('where it cannot be flushed it stays, and comes back once more', async () => {
  const { engine, log, letters } = await withLetters(2)
  engine.isBroken = true
  await expect(letters.redrive()).rejects.toThrow('no flush')
  expect(await letters.list()).toHaveLength(2)
  engine.isBroken = false
  await letters.redrive()
  expect((await log.topic('orders').bounds()).next).toBe(4)
  expect(await letters.list()).toEqual([])
  await log.close()
})

it('many are flushed together', async () => {
  const { engine, log, letters } = await withLetters(2_500)
  expect(await letters.redrive()).toEqual({ redriven: 2_500, unreadable: 0 })
  expect(engine.flushed).toHaveLength(3)
  await log.close()
})

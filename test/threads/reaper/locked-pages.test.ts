/** Pages of the active segment are locked in memory where that is asked for. */
import { expect, it } from 'vitest'
import { failedCall } from '../../../src/memory/errno.js'
import { start } from '../../support/driven-reaper.js'

it('covers what is faulted in ahead of the writer if asked to, and a refusal is reported once', async () => {
  for (const lockActive of [true, false]) {
    const { engine, world, add } = start({ reaper: { lockActive } })
    let asked = 0
    world.calls.lockPages = () => {
      asked += 1
      return failedCall('mlock', 1) as never
    }
    add(100)
    for (let turn = 0; turn < 8; turn++) engine.reaper.tend()
    expect(asked).toBe(lockActive ? 1 : 0)
    const errors = engine.events.filter(({ type }) => type === 'error')
    expect(errors).toEqual(
      lockActive ? [{ type: 'error', what: 'locking pages of the active segment', code: 'EPERM', errno: 1 }] : [],
    )
    add(100)
    expect(engine.state.publishedRecords.load()).toBe(2)
  }
})

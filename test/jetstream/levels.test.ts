import { expect, it } from 'vitest'
import { codedFailureOf, failureOf } from '../scenarios/support.js'
import { withServers } from './fixture.js'

withServers({ sync: 'always' }, ({ open, servers, newName }) => {
  it('one replica keeps `process` alone, and says so where more is asked for', async () => {
    const log = await open()
    expect(log.supports.durabilities).toEqual(['process'])
    for (const durability of ['replicated', 'disk'] as const) {
      const error = await codedFailureOf(() => log.topic('t').append(new Uint8Array(1), { durability }))
      expect(error.code).toBe('BOOKEND_UNSUPPORTED')
      const atOpen = await codedFailureOf(async () => open({ durability, monitors: (await servers()).monitors }))
      expect(atOpen.code).toBe('BOOKEND_UNSUPPORTED')
      expect(atOpen.message).toContain('replicas: 3')
    }
    expect(await log.topics()).toEqual([])
  })

  it('replicas without a cluster are refused when a topic is made, with what is missing', async () => {
    const log = await open({ replicas: 3 })
    const error = await codedFailureOf(() => log.topic('t').append(new Uint8Array(1)))
    expect(error.code).toBe('BOOKEND_UNSUPPORTED')
    expect(error.message).toContain('cluster')
  })

  it('a topic that was made with less is not taken for more', async () => {
    const name = newName()
    await (await open({ name })).topic('t').append(new Uint8Array(1))
    const error = await codedFailureOf(async () =>
      (await open({ name, duplicateWindowMs: 600_000 })).topic('t').append(new Uint8Array(1)),
    )
    expect(error.code).toBe('BOOKEND_FORMAT')
    expect(error.message).toContain('duplicate_window')
  })

  it('a longest message beyond max_payload is refused at open', async () => {
    const error = await failureOf(() => open({ maxMessageBytes: 32 << 20 }))
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toContain('max_payload')
  })
})

withServers({ nodes: 3, sync: 'always' }, ({ open, servers }) => {
  it('`disk` is kept by three nodes that all prove it, and by who vouches for them', async () => {
    const { monitors } = await servers()
    const proven = await open({ durability: 'disk', monitors })
    expect(proven.supports.durabilities).toEqual(['process', 'replicated', 'disk'])
    expect(await proven.topic('t').append(new Uint8Array(1))).toBe(0)
    await proven.flush('disk')
    expect((await open({ durability: 'disk', serverSyncs: true })).supports.durabilities).toContain('disk')
  })

  it('`disk` is refused where a node is not asked, does not answer, or nobody is', async () => {
    const { monitors } = await servers()
    const refusal = (more: object) => codedFailureOf(() => open({ durability: 'disk', ...more }))
    expect((await refusal({})).message).toContain('sync_interval: always')
    expect((await refusal({ monitors: monitors.slice(1) })).message).toContain('3 nodes, and monitors name 2')
    expect((await refusal({ monitors: [...monitors, 'http://127.0.0.1:9'] })).message).toContain('does not answer')
    const log = await open({ durability: 'replicated' })
    expect(log.supports.durabilities).toEqual(['process', 'replicated'])
    const one = await codedFailureOf(() => log.topic('t').append(new Uint8Array(1), { durability: 'disk' }))
    expect(one.code).toBe('BOOKEND_UNSUPPORTED')
  })
})

withServers({ nodes: 3 }, ({ open, servers }) => {
  it('`disk` is refused where nodes flush now and then', async () => {
    const { monitors } = await servers()
    const error = await codedFailureOf(() => open({ durability: 'disk', monitors }))
    expect(error.code).toBe('BOOKEND_UNSUPPORTED')
    expect(error.message).toContain('sync_interval: always')
  })
})

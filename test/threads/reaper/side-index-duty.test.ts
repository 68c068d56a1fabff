import { describe, expect, it } from 'vitest'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import { ownerOf, readSideHead } from '../../../src/storage/side/side-index-file.js'
import { start } from '../../support/driven-reaper.js'
import { payloadOf } from '../../support/frames.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
const extras = { key: utf8('k'), headers: utf8('{"type":"paid"}') }

function startKeyed() {
  const started = start()
  const { engine, world, model } = started
  /** Appends messages with keys and headers until the log is in `segment`. */
  const fillKeyed = async (segment: number) => {
    while (engine.tail.segment < segment) {
      const value = payloadOf(0, model.topics[0].values.length, 60_000)
      model.add(0, value)
      engine.offer([{ topic: 0, value, extras }])
      await engine.settle(2)
    }
  }
  /** Names that the side index of a segment has, keys as `*`; undefined: there is none that is right. */
  const namesIn = (segment: number): string[] | undefined => {
    const sealed = readSealedFile(world.disk, engine.files, segment)
    const file = world.disk.open(engine.files.sidePath(segment), 'read')
    const head = sealed && file && readSideHead(file, ownerOf(engine.files, segment, sealed.footer))
    file?.close()
    return head?.sections.map(({ name = '*' }) => name).sort()
  }
  const sideCalls = () => world.disk.calls.filter(({ file }) => /\.idx/.test(file))
  return { ...started, fillKeyed, namesIn, sideCalls }
}

describe('side indexes', () => {
  it('come with the footer of a segment, in the walk that is made for it, and are never flushed', async () => {
    const { engine, fillKeyed, namesIn, sideCalls } = startKeyed()
    engine.reaper.index('a', { keys: true, headers: ['type'] })
    await fillKeyed(2)
    await engine.settle()
    expect([namesIn(0), namesIn(1), namesIn(2)]).toEqual([['*', 'type'], ['*', 'type'], undefined])
    expect(sideCalls().filter(({ call }) => call === 'sync')).toEqual([])
    expect(engine.events.filter(({ type }) => type === 'error')).toEqual([])
  })

  it('are not made of what nobody wants', async () => {
    const { engine, fillKeyed, sideCalls } = startKeyed()
    engine.reaper.index('another', { keys: true })
    await fillKeyed(1)
    await engine.settle()
    // One that says that there is nothing to say.
    expect(sideCalls().filter(({ call }) => call === 'rename')).toHaveLength(1)
    const { engine: other, fillKeyed: fill, sideCalls: calls } = startKeyed()
    await fill(1)
    await other.settle()
    expect(calls()).toEqual([])
  })

  it('of segments that were sealed before are made while nothing is appended, and have what was wanted before as well', async () => {
    const { engine, fillKeyed, namesIn } = startKeyed()
    await fillKeyed(3)
    await engine.settle()
    engine.reaper.index('a', { keys: true })
    // No time passes: nothing is a pause.
    for (let turn = 0; turn < 20; turn++) {
      engine.offer([{ topic: 0, value: payloadOf(0, 0, 10) }])
      await engine.settle(1)
    }
    expect([0, 1, 2].map(namesIn)).toEqual([undefined, undefined, undefined])
    await engine.settle(40)
    expect([0, 1, 2].map(namesIn)).toEqual([['*'], ['*'], ['*']])
    const next = engine.nextReaper()
    next.index('a', { headers: ['type'] })
    for (let turn = 0; turn < 60; turn++) {
      engine.letTimePass()
      next.tend()
      await new Promise(setImmediate)
    }
    expect([0, 1, 2].map(namesIn)).toEqual([
      ['*', 'type'],
      ['*', 'type'],
      ['*', 'type'],
    ])
  })

  it('that are damaged, or of what the segment was before, are made anew', async () => {
    const { engine, world, fillKeyed, namesIn } = startKeyed()
    engine.reaper.index('a', { keys: true })
    await fillKeyed(2)
    await engine.settle()
    world.disk.bytes(engine.files.sidePath(0))[20] ^= 1
    world.disk.remove(engine.files.sidePath(1))
    expect([0, 1].map(namesIn)).toEqual([undefined, undefined])
    engine.reaper.index('a', { keys: true })
    await engine.settle(40)
    expect([0, 1].map(namesIn)).toEqual([['*'], ['*']])
  })

  it('go with their segments', async () => {
    const { engine, world, model, fillKeyed, trim } = startKeyed()
    engine.reaper.index('a', { keys: true })
    await fillKeyed(2)
    await engine.settle()
    trim(model.topics[0].values.length - 1)
    await engine.flush()
    await engine.settle(40)
    expect(engine.state.deletedCount.load()).toBeGreaterThan(0)
    const names = world.disk.list(engine.files.directory)
    for (const name of names.filter((each) => each.endsWith('.idx')))
      expect(names).toContain(name.replace('.idx', '.seg'))
  })

  it('that have no room are done without, and appends go on', async () => {
    const { engine, world, fillKeyed, namesIn } = startKeyed()
    engine.reaper.index('a', { keys: true })
    world.disk.fault = ({ call, file }) => {
      if (call === 'write' && file.includes('.idx'))
        throw Object.assign(new Error('full'), { code: 'ENOSPC', errno: -28 })
    }
    await fillKeyed(2)
    await engine.settle()
    expect([namesIn(0), engine.state.reaperErrno.load(), engine.state.indexed.load()]).toEqual([
      undefined,
      0,
      engine.files.base(2),
    ])
    expect(world.disk.list(engine.files.directory).filter((name) => name.includes('.idx'))).toEqual([])
    expect(engine.events.filter(({ type }) => type === 'error')).toEqual([])
  })

  it.each([
    ['the device', 'write', { code: 'EIO', errno: -5 }, 'EIO', ''],
    ['one of ours', 'write', {}, 'EIO', ' (Error: no)'],
    ['something that stands in its place', 'open', { code: 'BOOKEND_FORMAT' }, 'BOOKEND_FORMAT', ' (Error: no)'],
  ] as const)(
    'that cannot be made for an error of %s are told of, once a segment',
    async (_, call, error, code, why) => {
      const { engine, world, fillKeyed, namesIn } = startKeyed()
      await fillKeyed(2)
      await engine.settle()
      world.disk.fault = (each) => {
        if (each.call === call && each.file.includes('.idx')) throw Object.assign(new Error('no'), error)
      }
      engine.reaper.index('a', { keys: true })
      await engine.settle(40)
      world.disk.fault = () => {}
      expect([namesIn(0), engine.state.reaperErrno.load()]).toEqual([undefined, 0])
      const told = (segment: number) => ({
        ...{ type: 'error', code, errno: 5 },
        what: `making the side index of segment ${engine.files.base(segment)}${why}`,
      })
      expect(engine.events.filter(({ type }) => type === 'error')).toEqual([told(1), told(0)])
    },
  )
})

import fs from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { writerState } from '../../../src/ring/shared-state.js'
import { Ownership, takeLocks } from '../../../src/storage/files/ownership.js'
import { Engine } from '../../support/engine.js'
import { realWorld, simulatedWorld } from '../../support/worlds.js'

/** A file that is open, as an owner has it. */
function locked(name: string) {
  const { directory, dispose } = realWorld('file')
  const file = path.join(directory, name)
  const descriptor = fs.openSync(file, 'w')
  onTestFinished(() => {
    fs.closeSync(descriptor)
    dispose()
  })
  return { path: file, descriptor }
}

it('a name that leads elsewhere, or nowhere, is lost', () => {
  for (const lose of [
    (file: string) => fs.renameSync(file, `${file}.old`),
    (file: string) => {
      fs.writeFileSync(`${file}.new`, '')
      fs.renameSync(`${file}.new`, file)
    },
    (file: string) => {
      fs.renameSync(file, `${file}.old`)
      fs.symlinkSync(`${file}.old`, file)
    },
  ]) {
    const files = [locked('lock'), locked('control')]
    const owner = new Ownership(files)
    expect([owner.isKept(), owner.isKeptOfLate()]).toEqual([true, true])
    lose(files[1].path)
    expect([owner.isKept(), owner.isKeptOfLate()]).toEqual([false, false])
  }
})

it('what comes back is lost all the same: others may have been there meanwhile', () => {
  const file = locked('lock')
  const owner = new Ownership([file])
  fs.renameSync(file.path, `${file.path}.old`)
  expect(owner.isKept()).toBe(false)
  fs.renameSync(`${file.path}.old`, file.path)
  expect(owner.isKept()).toBe(false)
})

it('what lost its name while it was being locked is not locked', () => {
  const file = locked('lock')
  expect(takeLocks({ lock: () => false }, [file])).toBe(false)
  expect(takeLocks({ lock: () => true }, [file])).toBe(true)
  const lock = () => {
    fs.rmSync(file.path)
    return true
  }
  expect(takeLocks({ lock }, [file])).toBe(false)
})

it('an owner that has lost the log writes nothing: no batch, commit, segment, control record or flush, and says why', async () => {
  const world = simulatedWorld()
  let isKept = true
  const owner = { isKept: () => isKept, isKeptOfLate: () => isKept }
  const engine = new Engine(world, { owner })
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.append(0, new Uint8Array(1_000))
  await engine.flush()
  await engine.groups.create('a', 'g', 0)
  engine.append(0, new Uint8Array(1_000))
  engine.writer.doWork()
  const { published } = engine.state
  const [position, events] = [published.load(), world.disk.events.length]
  isKept = false
  engine.append(0, new Uint8Array(1_000))
  engine.state.commitRequest.store(1)
  engine.requestFlush()
  await engine.settle()
  expect(() => engine.writer.trim(0, 1)).toThrow(expect.objectContaining({ code: 'BOOKEND_LOCKED' }))
  engine.writer.meetReaper()
  for (const change of [() => engine.groups.create('a', 'h', 0), () => engine.groups.remove(0)])
    await expect(change()).rejects.toMatchObject({ code: 'BOOKEND_LOCKED' })
  await engine.reaper.stop(true)
  expect(published.load()).toBe(position)
  expect(world.disk.events.length).toBe(events)
  expect(engine.state.writerState.load()).toBe(writerState.failed)
  expect(engine.events.filter(({ type }) => type === 'error')).toMatchObject([{ code: 'BOOKEND_LOCKED' }])
  expect(engine.writer.hasWork).toBe(false)
})

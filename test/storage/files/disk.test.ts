import fs from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { changedByMaking, nodeDisk } from '../../../src/storage/files/disk.js'
import { realWorld } from '../../support/worlds.js'

it('every directory that gets a new name is known, from the last to the first', () => {
  expect(changedByMaking('/a/b/c/log', '/a/b')).toEqual(['/a/b/c', '/a/b', '/a'])
  expect(changedByMaking('/a/log/', '/a/log')).toEqual(['/a'])
  expect(changedByMaking('log', 'log')).toEqual([process.cwd()])
  expect(changedByMaking('/a/b', undefined)).toEqual([])
})

it('a directory that is made with those above it is flushed into each of them', () => {
  const { directory, dispose } = realWorld('file')
  onTestFinished(dispose)
  const flushed: string[] = []
  const real = fs.fsyncSync
  const spy = vi.spyOn(fs, 'fsyncSync').mockImplementation((descriptor) => {
    flushed.push(fs.readlinkSync(`/proc/self/fd/${descriptor}`))
    real(descriptor)
  })
  onTestFinished(() => spy.mockRestore())
  nodeDisk.makeDirectory(path.join(directory, 'one', 'two', 'three'))
  expect(flushed).toEqual([path.join(directory, 'one', 'two'), path.join(directory, 'one'), directory])
  nodeDisk.makeDirectory(path.join(directory, 'one'))
  expect(flushed.length).toBe(3)
})

/** Files behind the end of the log: prepared segments, strays and leftovers. */
import { expect, it } from 'vitest'
import { readAll } from '../../support/model.js'
import { Sample } from '../../support/reopened-log.js'

it('never takes a file with data for a prepared segment, however large its first batch', () => {
  const sample = new Sample().add(3).flush()
  sample.log.roll()
  sample.add(2, 200_000)
  // In the same boot a seal that was hit is damage: the log goes on behind it.
  const { log } = sample.reopen((disk) => {
    const seal = sample.starts[2] + 48 + 16 + 200
    disk.bytes(sample.path(0))[seal + 9] ^= 1
  })
  expect(log.recovered.damages).toHaveLength(1)
  expect(log.recovered.topics[0].next).toBe(5)
  expect(readAll(log.reader, 0, 3, 5, 'dense')).toHaveLength(2)
})

it('keeps prepared segments that follow without a gap, and removes unfinished ones and strays', () => {
  const sample = new Sample().add(3).flush()
  const { files } = sample.log
  files.create(1, 1, 1, sample.world.calls)
  files.create(2, 1, 1, sample.world.calls)
  files.create(5, 1, 1, sample.world.calls)
  const { disk, log } = sample.reopen((left) => left.put(`${sample.path(3)}.new`, new Uint8Array(77)))
  expect(log.recovered.prepared).toBe(2)
  expect([1, 2, 5].map((segment) => disk.has(sample.path(segment)))).toEqual([true, true, false])
  expect(disk.has(`${sample.path(3)}.new`)).toBe(false)
})

it('ignores files that are not its own, and leaves them alone', () => {
  const sample = new Sample().add(3).flush()
  const names = [
    '/log/log/notes.txt',
    '/log/log/00000000000000000007.seg',
    '/log/log/1.seg',
    '/log/log/x.seg.new',
    '/log/stray',
  ]
  const { disk } = sample
    .reopen((full) => {
      for (const name of names) full.put(name, new Uint8Array(9).fill(7))
    })
    .expectExactly(sample.model, 3)
  for (const name of names) expect(disk.has(name)).toBe(true)
})

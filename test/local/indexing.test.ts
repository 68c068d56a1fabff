import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'bookend'
import { afterEach, expect, it } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'bookend-indexing-'))

afterEach(() => rmSync(directory, { recursive: true, force: true }))

it('every sealed segment of a cleanly closed log carries its index, whatever its size', async () => {
  // Larger than one step of indexing, so that batches stand across the steps.
  const segmentBytes = 16 << 20
  const log = await open(directory, { segmentBytes })
  const topic = log.topic('numbers')
  const value = new Uint8Array(999)
  for (let number = 0; number < 60_000; number++) while (!topic.offer(value)) await topic.ready()
  await log.close()

  const again = await open(directory, { readOnly: true })
  const sealed = again.stats().positions.indexed / segmentBytes
  await again.close()
  expect(sealed).toBe(3)
  const footers = readdirSync(join(directory, 'log')).map((name) => {
    const descriptor = openSync(join(directory, 'log', name), 'r')
    const footer = new Uint8Array(64)
    readSync(descriptor, footer, 0, footer.length, segmentBytes - footer.length)
    closeSync(descriptor)
    return footer.some((byte) => byte !== 0)
  })
  expect(footers.filter(Boolean)).toHaveLength(sealed)
})

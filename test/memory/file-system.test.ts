import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { fileSystemUse } from '../../src/memory/file-system.js'
import { temporaryFolder } from './temporary-folder.js'

it('the use of a file system is what df says', () => {
  const folder = temporaryFolder()
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const { stdout } = spawnSync('df', ['--output=pcent', folder], { encoding: 'utf8' })
  const percent = Number(/(\d+)%/.exec(stdout)?.[1])
  const use = fileSystemUse(folder) * 100
  // df rounds up.
  expect(use).toBeGreaterThan(percent - 1.5)
  expect(use).toBeLessThanOrEqual(percent + 0.5)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const program = fileURLToPath(new URL('../fixtures/exit-while-loading.mjs', import.meta.url))

it('a process that exits while threads load native code ends with its own code', async () => {
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [program], { stdio: 'ignore' })
    expect(await once(child, 'exit')).toEqual([7, null])
  }
})

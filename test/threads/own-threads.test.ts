import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { inheritedFlags } from '../../src/threads/own-threads.js'

describe('what threads inherit', () => {
  it('is left to Node where nothing is in the way', () => {
    expect(inheritedFlags(['--import', 'x', '--expose-gc'], '--max-old-space-size=100')).toEqual({})
    expect(inheritedFlags([], undefined)).toEqual({})
  })

  it('is what modules need to load where the program has no file', () => {
    const flags = ['--import', 'a', '--require=b', '-C', 'c', '--expose-gc', '--preserve_symlinks', '-e', 'code']
    const kept = ['--import', 'a', '--require=b', '-C', 'c', '--preserve_symlinks']
    for (const inputType of [['--input-type=module'], ['--input_type=module'], ['--input-type', 'module']])
      expect(inheritedFlags([...inputType, ...flags], undefined)).toEqual({
        execArgv: [...kept, '--input-type', ''],
      })
  })

  it('does not hold what NODE_OPTIONS says of the program', () => {
    expect(inheritedFlags([], '--no-warnings --input-type=module')).toEqual({ execArgv: ['--input-type', ''] })
  })
})

it('an unhandled rejection ends a thread of ours, whatever the process makes of them', async () => {
  const url = new URL('../../dist/src/threads/own-threads.js', import.meta.url)
  const code = `import(${JSON.stringify(url.href)}).then(({ endOnRejection }) => {
    process.on('unhandledRejection', () => {})
    endOnRejection()
    setInterval(() => {}, 1_000)
    Promise.reject(new Error('the loop has ended'))
  })`
  const worker = new Worker(code, { eval: true, execArgv: ['--unhandled-rejections=none'] })
  const error = await new Promise((resolve) => worker.once('error', resolve))
  expect(error).toMatchObject({ message: 'the loop has ended' })
})

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../scenarios/support.js'
import { withServers } from './fixture.js'

const example = fileURLToPath(new URL('../../examples/both-engines.mjs', import.meta.url))

withServers({}, ({ servers }) => {
  it('one program prints the same in a directory and on servers, and its second run goes on', async () => {
    const [url] = (await servers()).urls
    const cwd = temporaryFolder()
    const printed = async (...args: string[]) =>
      (await promisify(execFile)(process.execPath, [example, ...args], { cwd })).stdout
    const first = await printed()
    expect(first).toBe('the order has offset 10000\n2500 clicks, then: order\nleft for billing: 0\n')
    expect(await printed(url)).toBe(first)
    const second = await printed()
    expect(second).toContain('the order has offset 20001')
    expect(await printed(url)).toBe(second)
  })
})

/** Two pages in a real browser, which are reloaded while the tokens come. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { browserFile, patienceMs, startBrowser, withoutBrowser } from '../cli/inspect/browser.js'
import { root } from '../docs/repository.js'
import { temporaryFolder } from './temporary-folder.js'

const answer = 'You asked: what is a log. Nobody knows, but each word of this answer comes to you once. '

it.skipIf(browserFile === undefined)(
  `tokens come to each of two pages once, reloaded in the middle or not (${browserFile ?? withoutBrowser})`,
  async () => {
    const program = spawn(process.execPath, [path.join(root, 'examples/token-stream.mjs'), temporaryFolder(), '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => {
      program.kill('SIGKILL')
    })
    const [line] = await once(program.stdout, 'data')
    const browser = await startBrowser()
    onTestFinished(() => browser.close())
    const pages = await Promise.all(
      [0, 1].map(async () => {
        const page = await (await browser.newContext()).newPage()
        page.setDefaultTimeout(patienceMs)
        await page.goto(String(line).trim())
        return page
      }),
    )
    const read = (page: Page) => page.locator('#answer').textContent()
    for (let reload = 0; reload < 3; reload++) {
      for (const page of pages) {
        await page.locator('#answer', { hasText: 'You' }).waitFor()
        const before = (await read(page)) ?? ''
        await page.reload()
        await expect.poll(async () => ((await read(page)) ?? '').startsWith(before)).toBe(true)
      }
    }
    for (const page of pages) {
      await page.locator('#state', { hasText: 'complete' }).waitFor()
      expect(await read(page)).toBe(answer)
    }
    program.kill('SIGTERM')
    expect(await once(program, 'exit')).toEqual([0, null])
  },
)

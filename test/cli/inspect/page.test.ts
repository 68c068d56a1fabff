/** The page in a real browser: desktop and phone, light and dark, mouse and keyboard. */
import { json, open } from 'bookend'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { range } from '../../support/words.js'
import { small, temporaryFolder } from '../command.js'
import { accessibilityFaults, browserFile, patienceMs, startBrowser, withoutBrowser } from './browser.js'
import { inspector } from './inspector.js'

const rooms = ['overview', 'messages/orders', 'groups', 'dead-letters', 'verify']

async function log(): Promise<string> {
  const directory = temporaryFolder()
  await using owner = await open(directory, small)
  const orders = owner.topic('orders', { codec: json() })
  for (const id of range(0, 120)) await orders.append({ id, note: '<img src=x onerror=alert(1)>' }, { key: `k${id}` })
  await orders.group('billing').seek(20)
  const module = new URL('data:text/javascript,export default () => { throw new Error("<b>cannot</b>") }')
  const processor = orders.group('failing').process(module, { retries: 0, deadLetter: 'failed', batchSize: 1 })
  await processor.idle()
  await processor.stop()
  return directory
}

describe.skipIf(browserFile === undefined)(
  browserFile === undefined ? withoutBrowser : 'the page of the inspector',
  () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await startBrowser()
    })
    afterAll(() => browser.close())

    async function look(options: Parameters<Browser['newPage']>[0] = {}, ...more: string[]) {
      const running = await inspector(await log(), ...more)
      const page = await browser.newPage(options)
      onTestFinished(() => page.close())
      page.setDefaultTimeout(patienceMs)
      const complaints: string[] = []
      // A page that lacks a file is never drawn: its complaint is the answer, not the end of the patience.
      const broken = new Promise<never>((_, reject) => {
        const complain = (text: string) => {
          complaints.push(text)
          reject(new Error(text))
        }
        page.on('pageerror', (error) => complain(error.message))
        page.on('console', (message) => {
          if (message.type() === 'error') complain(`${message.text()} ${message.location().url}`)
        })
      })
      await page.goto(running.url)
      await Promise.race([page.getByRole('img', { name: 'From the oldest' }).waitFor(), broken])
      const goTo = async (room: string) => {
        await page.goto(`${running.origin}/#${room}`)
        await page.locator(`nav a[href="#${room.split('/')[0]}"][aria-current]`).waitFor()
      }
      return { ...running, page, complaints, goTo }
    }

    const rows = (page: Page, name: string) => page.getByRole('region', { name }).locator('tbody tr')

    it.each([
      { name: 'desktop, light', viewport: { width: 1_280, height: 900 }, colorScheme: 'light' as const },
      { name: 'phone, dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' as const },
    ])('is whole and can be used by everybody: $name', async ({ viewport, colorScheme }) => {
      const { page, complaints, goTo } = await look({ viewport, colorScheme }, '--write')
      for (const room of rooms) {
        await goTo(room)
        await page.locator('main > .quiet').waitFor({ state: 'detached' })
        expect(await accessibilityFaults(page), room).toEqual([])
        // Wide tables scroll by themselves; the page does not.
        expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), room).toBe(true)
      }
      expect(complaints).toEqual([])
    })

    it('does not show its token in the address', async () => {
      const { page, origin } = await look()
      expect(page.url()).toBe(`${origin}/`)
    })

    it('browses and searches messages, by keyboard alone, and runs nothing that stands in them', async () => {
      const { page, complaints, goTo } = await look()
      await goTo('messages/orders')
      await rows(page, 'Messages that were found').nth(49).waitFor()
      await page.getByLabel('Holds').fill('"id":7')
      await page.getByLabel('From').fill('first')
      await page.keyboard.press('Enter')
      // 7 and 70 to 79.
      await expect.poll(() => rows(page, 'Messages that were found').count()).toBe(11)
      await rows(page, 'Messages that were found').first().getByRole('button').focus()
      await page.keyboard.press('Enter')
      const dialog = page.getByRole('dialog', { name: 'Message 7 of orders' })
      await dialog.getByText('"note": "<img src=x onerror=alert(1)>"').waitFor()
      expect(await accessibilityFaults(page)).toEqual([])
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
      expect(complaints).toEqual([])
    })

    it('only looks, unless it was started to change', async () => {
      const { page, goTo } = await look()
      await goTo('groups')
      await rows(page, 'Table of groups').first().waitFor()
      expect(await page.getByRole('button').count()).toBe(0)
    })

    it('seeks a group, and brings dead letters back when that is confirmed', async () => {
      const { page, goTo } = await look({}, '--write')
      await goTo('groups')
      await page.getByRole('button', { name: 'Seek billing…' }).click()
      await page.getByLabel('Go on at').fill('100')
      await page.keyboard.press('Enter')
      await rows(page, 'Table of groups').filter({ hasText: 'billing' }).filter({ hasText: '100' }).waitFor()
      await goTo('dead-letters')
      await page.getByText('120 dead letters').waitFor()
      await page.getByText('Error: <b>cannot</b>').first().waitFor()
      await page.getByRole('button', { name: 'Discard letter 0…' }).click()
      await page.getByRole('button', { name: 'Discard', exact: true }).click()
      await page.getByText('119 dead letters').waitFor()
      await page.getByRole('button', { name: 'Bring back all…' }).click()
      // The question comes with the next drawing: a key that is pressed before it goes to the page.
      const question = page.getByRole('dialog')
      await question.waitFor()
      await page.keyboard.press('Escape')
      await question.waitFor({ state: 'detached' })
      await page.getByRole('button', { name: 'Bring back all…' }).click()
      await page.getByRole('button', { name: 'Bring back', exact: true }).click()
      await page.getByText('0 dead letters').waitFor()
    })

    it('verifies the log', async () => {
      const { page, goTo } = await look()
      await goTo('verify')
      await page.getByRole('button', { name: 'Verify the log' }).click()
      await page.getByText('The log is whole.').waitFor()
    })
  },
)

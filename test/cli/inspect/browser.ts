/** A real browser, where there is one. */
import { accessSync, constants, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome']

export const browserFile: string | undefined = [
  process.env.CHROMIUM ?? '',
  ...(process.env.PATH ?? '').split(path.delimiter).flatMap((folder) => names.map((name) => path.join(folder, name))),
].find((file) => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
})

/** A limit for hangs, not for speed. */
export const patienceMs = 150_000

export const withoutBrowser = 'no browser on this machine: apt-get install chromium, or set CHROMIUM'

export function startBrowser(): Promise<Browser> {
  // Its sandbox cannot be had by root, and it is shown nothing but our own page.
  return chromium.launch({ executablePath: browserFile, args: ['--no-sandbox'], timeout: patienceMs })
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What keeps somebody with a keyboard or a screen reader from using the page as it stands now. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const violations = await page.evaluate(async () => {
    // @ts-expect-error: it has just been put there
    const found = (await axe.run()) as { violations: { id: string; nodes: { html: string }[] }[] }
    return found.violations
  })
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}

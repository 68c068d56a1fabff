import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { caseNames } from '../../bench/cases/catalogue.js'

const main = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url))

it('runs every case, leaves nothing behind, and claims no speed', async () => {
  const directory = mkdtempSync(join(os.tmpdir(), 'bench-smoke-'))
  const json = join(directory, 'report.json')
  try {
    // Peers from the registry are left out: a test needs no network and no compiler.
    const args = [main, '--smoke', '--peers', 'bare,write-sync', '--dir', directory, '--json', json]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const { series } = JSON.parse(readFileSync(json, 'utf8')) as { series: { caseName: string; failure?: string }[] }
    expect(new Set(series.map(({ caseName }) => caseName))).toEqual(new Set(caseNames))
    expect(series.filter(({ failure }) => failure !== undefined)).toEqual([])
    expect(readdirSync(directory)).toEqual(['report.json'])
    expect(stdout).not.toContain('reached')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 120_000)

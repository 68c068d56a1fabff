import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { stagesCaseName } from '../../bench/cases/catalogue.js'
import type { BenchReport } from '../../bench/report-file.js'

/** One of each kind; CI runs all, and the peers, in a step of its own. */
const chosen = ['append', 'append-disk', 'latency', 'scan', 'get-many', 'queue', stagesCaseName]
const main = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url))

it('runs the cases that are chosen, leaves nothing behind, and claims no speed', async () => {
  const directory = mkdtempSync(join(os.tmpdir(), 'bench-smoke-'))
  const json = join(directory, 'report.json')
  const html = join(directory, 'report.html')
  try {
    // Peers from the registry are left out: a test needs no network and no compiler.
    const args = [
      main,
      '--smoke',
      '--only',
      chosen.join(','),
      '--peers',
      'bare,memcpy,write-sync,fdatasync,post-message,file-watch',
      '--dir',
      directory,
    ]
    const { stdout } = await promisify(execFile)(process.execPath, [...args, '--json', json, '--html', html]).catch(
      (error: Error & { stdout: string }) => {
        throw new Error(
          error.stdout
            .split('\n')
            .filter((line) => line.includes('failed'))
            .join('\n'),
          { cause: error },
        )
      },
    )
    const { series, stages } = JSON.parse(readFileSync(json, 'utf8')) as BenchReport
    const ran = new Set([...series.map(({ caseName }) => caseName), stagesCaseName])
    expect([...ran].toSorted()).toEqual(chosen.toSorted())
    expect(series.filter(({ failure }) => failure !== undefined)).toEqual([])
    expect(stages.map(({ work }) => work)).toEqual(['append', 'read', 'scan'])
    const threads = new Set(stages.flatMap((stage) => stage.threads.map(({ name }) => name)))
    expect([...threads]).toEqual(expect.arrayContaining(['application', 'writer']))
    expect(readdirSync(directory).toSorted()).toEqual(['report.html', 'report.json'])
    expect(stdout).not.toContain('reached')
    const page = readFileSync(html, 'utf8')
    expect(page).not.toContain('reached')
    // Nothing is fetched when it is looked at.
    expect(page.replaceAll('http://www.w3.org', '')).not.toMatch(/(src|href)=["']?http|@import|url\(/)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

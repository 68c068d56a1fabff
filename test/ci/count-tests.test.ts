import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const script = join(root, '.ci/count-tests.mjs')
const folder = mkdtempSync(join(tmpdir(), 'bookend-reports-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Case = [name: string, status: 'passed' | 'failed' | 'pending' | 'skipped', error?: string]
type Files = Record<string, Case[] | { message: string }>

/** As vitest writes them. */
function report(files: Files, unhandled: Record<string, string> = {}): string {
  const path = join(folder, `${Math.random()}.json`)
  const testResults = Object.entries(files).map(([name, cases]) => {
    if (!Array.isArray(cases))
      return { name: join(root, name), status: 'failed', message: cases.message, assertionResults: [] }
    const isFailed = cases.some(([, status]) => status === 'failed')
    const assertionResults = cases.map(([fullName, status, error]) => ({
      ...{ fullName, status },
      failureMessages: error === undefined ? [] : [error],
    }))
    return { name: join(root, name), status: isFailed ? 'failed' : 'passed', message: '', assertionResults }
  })
  const unhandledErrors = Object.entries(unhandled).map(([file, error]) => ({ file: join(root, file), error }))
  writeFileSync(path, JSON.stringify({ testResults, unhandledErrors }))
  return path
}

const missing = join(folder, 'missing.json')

function summary(status: number, first: string, second = missing): { said: string; last: string; notes: string } {
  const { stdout, stderr } = spawnSync(process.execPath, [script, `${status}`, first, second], {
    cwd: root,
    encoding: 'utf8',
  })
  return { said: stdout, last: stdout.trimEnd().split('\n').at(-1) ?? '', notes: stderr }
}

function toRepeat(first: string): string[] {
  const said = execFileSync(process.execPath, [script, '--failed-files', first], { cwd: root, encoding: 'utf8' })
  return said.split('\n').filter((line) => line !== '')
}

const sound: Case[] = [
  ['one', 'passed'],
  ['two', 'passed'],
]
const broken: Case[] = [
  ['one', 'passed'],
  ['two', 'failed', 'Error: no\n    at somewhere'],
]

it('says nothing but the count where all passed', () => {
  const first = report({ 'test/a.test.ts': sound })
  expect(summary(0, first)).toEqual({ said: '2 passed, 0 failed\n', last: '2 passed, 0 failed', notes: '' })
  expect(toRepeat(first)).toEqual([])
})

it('names what failed, with the first lines of its error', () => {
  const error = `Error: no\n${'    at somewhere\n'.repeat(50)}`
  const first = report({ 'test/a.test.ts': sound, 'test/b.test.ts': [['three', 'failed', error]] })
  const { said, last } = summary(1, first)
  expect(last).toBe('2 passed, 1 failed')
  expect(said).toContain('== failed\ntest/b.test.ts > three\n    Error: no\n')
  expect(said.split('\n').length).toBeLessThan(20)
  expect(toRepeat(first)).toEqual(['test/b.test.ts'])
})

it('counts as passed, and names as a defect, what passed when it was repeated', () => {
  const first = report({ 'test/a.test.ts': sound, 'test/b.test.ts': broken })
  const { said, last } = summary(0, first, report({ 'test/b.test.ts': sound }))
  expect(last).toBe('4 passed, 0 failed')
  expect(said).not.toContain('== failed')
  expect(said).toMatch(/== PASSED ONLY WHEN REPEATED.*\ntest\/b\.test\.ts > two\n {4}Error: no/)
})

it('counts as failed what fails again, or only when it is repeated', () => {
  const first = report({ 'test/a.test.ts': broken, 'test/b.test.ts': broken })
  const second = report({
    'test/a.test.ts': broken,
    'test/b.test.ts': [
      ['one', 'failed', 'Error: other'],
      ['two', 'passed'],
    ],
  })
  const { said, last } = summary(1, first, second)
  expect(last).toBe('2 passed, 2 failed')
  expect(said).toContain('test/a.test.ts > two\n    Error: no')
  expect(said).toContain('test/b.test.ts > one\n    Error: other')
  expect(said).toMatch(/REPEATED.*\ntest\/b\.test\.ts > two/)
})

it('lets the first report stand where the repetition left none', () => {
  expect(summary(124, report({ 'test/a.test.ts': broken })).last).toBe('1 passed, 1 failed')
})

it('counts a file that does not load, and one whose process died, as one case that failed', () => {
  const first = report({
    'test/a.test.ts': { message: 'no such module' },
    'test/b.test.ts': [
      ['one', 'passed'],
      ['two', 'pending'],
    ],
  })
  const { said, last } = summary(1, first)
  expect(last).toBe('1 passed, 2 failed')
  expect(said).toContain('no such module')
  expect(said).toContain('its process died')
  expect(toRepeat(first)).toEqual(['test/a.test.ts', 'test/b.test.ts'])
  expect(summary(0, first, report({ 'test/a.test.ts': sound, 'test/b.test.ts': sound })).last).toBe(
    '4 passed, 0 failed',
  )
})

it('counts errors that no test has caught as one case of the file in which they came up', () => {
  const first = report({ 'test/a.test.ts': sound, 'test/b.test.ts': sound }, { 'test/b.test.ts': 'Error: late' })
  const { said, last } = summary(1, first)
  expect(last).toBe('4 passed, 1 failed')
  expect(said).toContain('test/b.test.ts > (1 errors that no test has caught)\n    Error: late')
  expect(toRepeat(first)).toEqual(['test/b.test.ts'])
  expect(summary(0, first, report({ 'test/b.test.ts': sound })).last).toBe('4 passed, 0 failed')
})

it('repeats nothing where many files failed, where something failed outside of any, or where there is no report', () => {
  const many = report(Object.fromEntries(Array.from({ length: 6 }, (_, number) => [`test/${number}.test.ts`, broken])))
  expect(toRepeat(many)).toEqual([])
  const outside = report({ 'test/a.test.ts': sound })
  expect(toRepeat(outside)).toEqual([])
  expect(summary(1, outside).last).toBe('2 passed, 1 failed')
  expect(toRepeat(missing)).toEqual([])
  expect(summary(1, missing).last).toBe('0 passed, 1 failed')
})

it('names what was skipped, beside the count', () => {
  const { said, notes } = summary(0, report({ 'test/a.test.ts': [['one', 'skipped']] }))
  expect(said).toBe('0 passed, 0 failed\n')
  expect(notes).toContain('skipped: test/a.test.ts: one')
})

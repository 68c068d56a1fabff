import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
  repository: object
  homepage: string
  bugs: object
}

let project: string

/** A project with what a release touches, and the same scripts, without the checks that take long. */
beforeEach(async () => {
  project = mkdtempSync(join(tmpdir(), 'bookend-release-'))
  mkdirSync(join(project, 'scripts'))
  for (const name of ['changelog.mjs', 'publishable.mjs'])
    copyFileSync(join(root, 'scripts', name), join(project, 'scripts', name))
  const { repository, homepage, bugs } = manifest
  const { version, prepublishOnly } = manifest.scripts
  const preversion = manifest.scripts.preversion!.split(' && ')[0]
  const scripts = { preversion, version, prepublishOnly }
  writeFile('package.json', JSON.stringify({ name: 'p', version: '1.2.3', repository, homepage, bugs, scripts }))
  writeFile(
    'CHANGELOG.md',
    '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- $1 a thing.\n\n## [1.2.3] - 2026-01-01\n\n- Old.\n',
  )
  await run('git', 'init', '--quiet')
  await commit('all')
})

afterEach(() => rmSync(project, { recursive: true, force: true }))

it('a release makes what is unreleased its own section, in the commit that it tags', async () => {
  await run('npm', 'version', 'minor')
  const changelog = readFileSync(join(project, 'CHANGELOG.md'), 'utf8')
  expect(changelog).toMatch(
    /^# Changelog\n\n## \[Unreleased\]\n\n## \[1\.3\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- \$1 a thing\.\n\n## \[1\.2\.3\] - 2026-01-01\n\n- Old\.\n$/,
  )
  expect((await run('git', 'status', '--porcelain')).stdout).toBe('')
  expect((await run('git', 'show', 'v1.3.0:CHANGELOG.md')).stdout).toBe(changelog)
})

it('a release of nothing is refused, and nothing is changed', async () => {
  writeFile('CHANGELOG.md', '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-01\n\n- Old.\n')
  await commit('nothing new')
  await expect(run('npm', 'version', 'patch')).rejects.toThrow('has nothing under Unreleased')
  expect((await run('git', 'status', '--porcelain')).stdout).toBe('')
  expect(readFileSync(join(project, 'package.json'), 'utf8')).toContain('"1.2.3"')
})

it('nothing is published with placeholders for its repository', async () => {
  await expect(run('npm', 'publish', '--dry-run')).rejects.toThrow('still has placeholders')
})

function writeFile(name: string, text: string): void {
  writeFileSync(join(project, name), text)
}

async function commit(message: string): Promise<void> {
  await run('git', 'add', '.')
  await run('git', 'commit', '--quiet', '--message', message)
}

function run(command: string, ...args: string[]): Promise<{ stdout: string }> {
  const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b.c', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b.c' }
  // A hook that runs the tests says where its own repository is.
  const { GIT_DIR: _dir, GIT_INDEX_FILE: _index, ...env } = process.env
  return promisify(execFile)(command, args, { cwd: project, env: { ...env, ...who } })
}

#!/usr/bin/env node
// Run by `npm version`: what is under Unreleased in the changelog becomes the section of the new version. With `--check`, before the version is
// raised: there is something to release.
import { readFileSync, writeFileSync } from 'node:fs'

const unreleased = /^## \[Unreleased\]\n([\s\S]*?)(?=^## \[|(?![\s\S]))/m
const changelog = readFileSync('CHANGELOG.md', 'utf8')
const [, changes = ''] = unreleased.exec(changelog) ?? []
if (!/^- /m.test(changes)) {
  console.error('CHANGELOG.md has nothing under Unreleased: say what this version changes')
  process.exit(1)
}
if (process.argv[2] !== '--check') {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const heading = `## [Unreleased]\n\n## [${version}] - ${new Date().toISOString().slice(0, 10)}\n`
  writeFileSync(
    'CHANGELOG.md',
    changelog.replace(unreleased, () => `${heading}${changes}`),
  )
}

#!/usr/bin/env node
// Run by `npm publish`: the addresses in package.json are placeholders until somebody publishes the package, and npm's proof of where it was
// built (`provenance`) needs the true repository.
import { readFileSync } from 'node:fs'

const { repository, bugs, homepage } = JSON.parse(readFileSync('package.json', 'utf8'))
const placeholders = [repository.url, bugs.url, homepage].filter((address) => address.includes('/OWNER/'))
if (placeholders.length > 0) {
  console.error(
    `package.json still has placeholders: put your own repository in the place of ${placeholders.join(', ')}`,
  )
  process.exit(1)
}

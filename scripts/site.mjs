#!/usr/bin/env node
// The documentation as a site: the pages of docs/, and the reference made of the TSDoc. Searchable, for any web server or none, in the folder
// `site` or the one that is named. Fails on a warning: a public declaration without a word about it, one that is used and not exported, a link
// that leads nowhere.
import { readFileSync, rmSync } from 'node:fs'
import { register } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

// typedoc reads types through TypeScript 6, which is here under another name: the project is compiled by 7, which has no such interface yet.
register(
  `data:text/javascript,${encodeURIComponent(`
    export const resolve = (name, context, next) =>
      next(name === 'typescript' ? '@typescript/typescript6' : name, context)`)}`,
  import.meta.url,
)
const { Application, Converter, TSConfigReader, TypeDocReader } = await import('typedoc')

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const { positionals } = parseArgs({ allowPositionals: true })
const out = path.resolve(positionals[0] ?? 'site')
rmSync(out, { recursive: true, force: true })

/** Pages and their group, in the order in which a page of contents names them. */
function contentsOf(page, group) {
  const contents = new Map([[page, group]])
  for (const section of readFileSync(page, 'utf8').split(/^## /m)) {
    const title = section === '' || section.startsWith('#') ? group : section.slice(0, section.indexOf('\n'))
    for (const [, target] of section.matchAll(/\]\(([^)#\s]+\.md)/g)) {
      const linked = path.join(path.dirname(page), target)
      if (linked.startsWith('docs/') && !contents.has(linked)) contents.set(linked, title)
    }
  }
  return contents
}

const contents = new Map([
  ...contentsOf('docs/README.md', 'Contents'),
  ...contentsOf('docs/recipes/README.md', 'Recipes'),
])
for (const [page, group] of contentsOf('docs/README.md', 'Contents')) contents.set(page, group)
const options = { out, projectDocuments: [...contents.keys()], groupOrder: [...new Set(contents.values()), '*'] }
const app = await Application.bootstrapWithPlugins(options, [new TypeDocReader(), new TSConfigReader()])

app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
  const file = path.relative(root, page.project.files.getReflectionPath(page))
  page.name = /^# (.*)$/m.exec(readFileSync(file, 'utf8'))[1]
  page.frontmatter.group = contents.get(file)
})
const project = await app.convert()
if (project === undefined) process.exit(1)
app.validate(project)
await app.generateOutputs(project)
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1

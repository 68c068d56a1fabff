import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { documents, readText, root } from './repository.js'

interface Link {
  target: string
  anchor: string | undefined
}

/** Links that stay in the repository; code blocks are no links. */
function relativeLinks(markdown: string): Link[] {
  const prose = markdown.replaceAll(/^```.*?^```$/gms, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [target, anchor] = link.split('#')
      return { target: target!, anchor }
    })
}

/** As GitHub makes them: lower case, without punctuation, hyphens for spaces. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

it.each(documents())('every relative link of %s leads somewhere', (document) => {
  const broken = relativeLinks(readText(document)).filter(({ target, anchor }) => {
    const path = target === '' ? document : join(dirname(document), target)
    if (!existsSync(join(root, path))) return true
    if (anchor === undefined) return false
    return !statSync(join(root, path)).isFile() || !anchorsOf(readText(path)).includes(anchor)
  })
  expect(broken).toEqual([])
})

it('every document can be reached from the README', () => {
  const reached = new Set(['README.md'])
  for (const document of reached) {
    for (const { target } of relativeLinks(readText(document))) {
      const path = join(dirname(document), target)
      if (target.endsWith('.md')) reached.add(path)
    }
  }
  expect(documents().filter((document) => !reached.has(document))).toEqual([])
})

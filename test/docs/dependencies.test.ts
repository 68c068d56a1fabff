import { expect, it } from 'vitest'
import { readText } from './repository.js'

type Manifest = Partial<Record<'dependencies' | 'optionalDependencies' | 'devDependencies', Record<string, string>>>

function packagesOf(path: string): string[] {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(readText(path)) as Manifest
  return Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies })
}

const named = [...readText('docs/dependencies.md').matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!)

it('every package of the project and of the benchmark has its reason in docs/dependencies.md', () => {
  expect(
    [...packagesOf('package.json'), ...packagesOf('bench/package.json')].filter((name) => !named.includes(name)),
  ).toEqual([])
})

it('docs/dependencies.md names no package that is gone', () => {
  const known = [...packagesOf('package.json'), ...packagesOf('bench/package.json')]
  expect(named.filter((name) => !known.includes(name))).toEqual([])
})

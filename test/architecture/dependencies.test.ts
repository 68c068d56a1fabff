import { isBuiltin } from 'node:module'
import { describe, expect, it } from 'vitest'
import { linesMatching, manifest, type SourceFile, sourceFiles } from './source-files.js'

/** The folders of src/ from top to bottom: a file may import from its own folder and from those after it. */
const layers = ['cli', 'log', 'engine', 'dispatcher', 'threads', 'storage', 'ring', 'format', 'memory']
/** Files of src/ that everybody may import, and that import no folder themselves. */
const leaves = ['src/messages/codec.ts', 'src/errors.ts', 'src/limits.ts']
/** The folders that may open files; `memory` also owns everything native. */
const fileFolders = ['engine', 'storage', 'memory']
/** Which folders may import which package: everything else goes through them. */
const packageFolders: Readonly<Record<string, readonly string[]>> = {
  koffi: ['memory'],
  'mmap-io': ['memory'],
  comlink: ['threads'],
  piscina: ['dispatcher', 'cli', 'workers'],
  commander: ['cli'],
  'cli-progress': ['cli'],
  picocolors: ['cli'],
}

const library = sourceFiles('src', 'workers')
const everyImport = library.flatMap((file) => file.imports.map((found) => ({ from: file.path, ...found })))

describe('the folders of src/', () => {
  it('all have a place in the order', () => {
    const folders = new Set(library.map(({ path }) => layerOf(path)).filter((layer) => layer !== undefined))
    expect([...folders].filter((folder) => folder !== 'workers' && !layers.includes(folder))).toEqual([])
  })

  it('import downwards only', () => {
    const wrong = everyImport.filter(({ from, target, isRelative }) => isRelative && !mayImport(from, target))
    expect(wrong.map(arrow)).toEqual([])
  })

  it('have no two files that need each other to load', () => {
    expect(cyclesOf(library)).toEqual([])
  })

  it('import only files that exist', () => {
    const paths = new Set(library.map(({ path }) => path))
    expect(everyImport.filter(({ target, isRelative }) => isRelative && !paths.has(target)).map(arrow)).toEqual([])
  })
})

describe('what the library needs from outside', () => {
  it('is a dependency of the published package', () => {
    const { dependencies, optionalDependencies } = manifest()
    const published = new Set(Object.keys({ ...dependencies, ...optionalDependencies }))
    const foreign = everyImport.filter(({ target, isRelative }) => !isRelative && !isBuiltin(target))
    expect(foreign.filter(({ target }) => !published.has(packageOf(target))).map(arrow)).toEqual([])
  })

  it('is imported by the folder that wraps it and no other', () => {
    const wrong = everyImport.filter(({ from, target, isRelative }) => {
      const folders = isRelative ? undefined : packageFolders[packageOf(target)]
      return folders !== undefined && !folders.includes(layerOf(from) ?? '')
    })
    expect(wrong.map(arrow)).toEqual([])
  })

  it('opens files in storage, memory and engine only', () => {
    const wrong = everyImport.filter(
      ({ from, target }) => /^node:fs(\/|$)/.test(target) && !fileFolders.includes(layerOf(from) ?? ''),
    )
    expect(wrong.map(arrow)).toEqual([])
  })

  it('is named with node: where it belongs to Node', () => {
    const wrong = everyImport.filter(({ target }) => isBuiltin(target) && !target.startsWith('node:'))
    expect(wrong.map(arrow)).toEqual([])
  })
})

describe('the library', () => {
  it('starts no thread without saying what it inherits', () => {
    const started = library.filter(({ code }) => /new (Worker|Piscina)\b/.test(code))
    expect(started.map(({ path }) => path)).not.toEqual([])
    expect(started.filter(({ code }) => !code.includes('...inheritedFlags(),')).map(({ path }) => path)).toEqual([])
  })

  it('never handles a fault: the handler would not run and the process would spin', () => {
    expect(linesMatching(library, /['"`]SIG(BUS|SEGV|FPE|ILL)['"`]/)).toEqual([])
  })

  it('touches shared words in ring/ only, by the names of its accessors', () => {
    const others = library.filter(({ path }) => layerOf(path) !== 'ring')
    expect(linesMatching(others, /\bAtomics\.(?!pause\b)\w+\(/)).toEqual([])
  })

  it('has numeric byte offsets in format/ only', () => {
    const others = library.filter(({ path }) => layerOf(path) !== 'format')
    const dataView = /\.[gs]et(?:Big)?(?:Int|Uint|Float)\d+\(\s*\d/
    const buffer = /\.(?:read(?:Big)?U?Int\d*[BL]E\(|write(?:Big)?U?Int\d*[BL]E\([^()]*,)\s*\d/
    expect(linesMatching(others, dataView)).toEqual([])
    expect(linesMatching(others, buffer)).toEqual([])
  })
})

describe('examples and benchmark', () => {
  it('use the library by its name, as an application does', () => {
    const wrong = sourceFiles('examples', 'bench/cases', 'bench/contenders').flatMap(({ path, imports }) =>
      imports.filter(({ target }) => /^(src|workers|dist)\//.test(target)).map((found) => ({ from: path, ...found })),
    )
    expect(wrong.map(arrow)).toEqual([])
  })
})

/** The folder below src/, 'workers', or undefined for the files of src/ itself. */
function layerOf(path: string): string | undefined {
  const [top, folder, file] = path.split('/')
  if (top === 'workers') return top
  return file === undefined ? undefined : folder
}

function mayImport(from: string, target: string): boolean {
  if (leaves.includes(target)) return true
  if (leaves.includes(from) || !target.startsWith('src/')) return false
  const below = layers.indexOf(layerOf(target) ?? '')
  if (below < 0) return layerOf(from) === 'cli'
  if (layerOf(from) === 'workers') return below > layers.indexOf('engine')
  return from === 'src/index.ts' || below >= layers.indexOf(layerOf(from) ?? '')
}

/** Every cycle of imports that are still there at run time, each once, as a chain of paths. */
function cyclesOf(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map(({ path, imports }) => [
      path,
      imports.filter(({ isType, isRelative }) => isRelative && !isType).map(({ target }) => target),
    ]),
  )
  const done = new Set<string>()
  const chain: string[] = []
  const cycles: string[] = []
  const visit = (path: string): void => {
    const start = chain.indexOf(path)
    if (start >= 0) cycles.push([...chain.slice(start), path].join(' -> '))
    if (start >= 0 || done.has(path)) return
    chain.push(path)
    for (const next of graph.get(path) ?? []) visit(next)
    chain.pop()
    done.add(path)
  }
  for (const path of graph.keys()) visit(path)
  return cycles
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function arrow({ from, target }: { from: string; target: string }): string {
  return `${from} -> ${target}`
}

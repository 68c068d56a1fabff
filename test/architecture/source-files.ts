import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What one file says it needs. `target` is a path of this project, or the specifier as it stands for packages. */
export interface Import {
  readonly target: string
  readonly isRelative: boolean
  /** Erased when compiled: it orders the folders, but cannot make a cycle at run time. */
  readonly isType: boolean
}

export interface SourceFile {
  /** Seen from the project's root, with slashes: `src/ring/append-ring.ts`. */
  readonly path: string
  /** Without comments, with the line breaks they had. */
  readonly code: string
  readonly imports: readonly Import[]
}

/** Every TypeScript file below these folders; declarations of foreign modules are no code of ours. */
export function sourceFiles(...folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .sort()
      .map((name) => sourceFile(join(root, folder, name))),
  )
}

export function manifest(): Record<
  'dependencies' | 'optionalDependencies' | 'peerDependencies',
  Record<string, string>
> {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
}

/** `path:line` and the text of every line of code that matches. */
export function linesMatching(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, code }) =>
    code
      .split('\n')
      .map((line, index) => ({ line, at: `${path}:${index + 1}` }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, at }) => `${at} ${line.trim()}`),
  )
}

function sourceFile(file: string): SourceFile {
  const path = relative(root, file).split(sep).join('/')
  const code = withoutComments(readFileSync(file, 'utf8'))
  return { path, code, imports: importsOf(path, code) }
}

// Only characters an import clause may hold, so that no match runs on from one statement into the next.
const staticImport = /^[ \t]*(?:import|export)\b(?<type>[ \t]+type\b)?[\w\s{},*$]*?'(?<target>[^'\n]+)'/gm
const dynamicImport = /\bimport\(\s*'(?<target>[^'\n]+)'\s*\)/g

function importsOf(path: string, code: string): Import[] {
  return [...code.matchAll(staticImport), ...code.matchAll(dynamicImport)].map(({ groups }) => {
    const written = groups?.target ?? ''
    const isRelative = written.startsWith('.')
    const target = isRelative ? sourceOf(posix.join(dirname(path), written)) : written
    return { target, isRelative, isType: groups?.type !== undefined }
  })
}

/** What a specifier names is the compiled file. */
function sourceOf(path: string): string {
  const withView = path.replace(/\.js$/, '.tsx')
  return existsSync(join(root, withView)) ? withView : path.replace(/\.js$/, '.ts')
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/(^|\s)\/\/.*$/gm, '$1')
}

/** Libraries of the benchmark itself: resolved like any other in a checkout, installed on demand beside an installed package. */
import { createRequire } from 'node:module'
import { providePeer, requirePackage } from './peer-packages.js'

export const toolNames = ['hdr-histogram-js', 'uplot'] as const
export type ToolName = (typeof toolNames)[number]

const own = createRequire(import.meta.url)

/** @throws Error that says why the library cannot be had */
export function loadTool<T>(name: ToolName): T {
  return own.resolve.paths(name) !== null && isInstalled(name)
    ? (own(name) as T)
    : requirePackage<T>(provide(name), name)
}

/** The path of a file of the library. */
export function toolFile(name: ToolName, file: string): string {
  const from = isInstalled(name) ? own : createRequire(`${provide(name)}/package.json`)
  return from.resolve(`${name}/${file}`)
}

/** Installs what is missing, with words for whoever waits. */
export function provideTools(mayInstall: boolean, progress: (line: string) => void): void {
  for (const name of toolNames) {
    if (isInstalled(name)) continue
    const tool = providePeer(name, mayInstall, progress)
    if (!tool.isAvailable) throw missingTool(name, tool.reason)
  }
}

/** With a code: made to be read, without a stack. */
function missingTool(name: string, reason: string): Error {
  const message = `the benchmark needs ${name}, which is not there: ${reason}`
  return Object.assign(new Error(message), { code: 'BENCH_TOOL_MISSING' })
}

function isInstalled(name: ToolName): boolean {
  try {
    own.resolve(name)
    return true
  } catch {
    return false
  }
}

function provide(name: ToolName): string {
  const tool = providePeer(name, false, () => {})
  if (!tool.isAvailable) throw missingTool(name, tool.reason)
  return tool.directory
}

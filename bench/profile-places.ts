/** Which module a sampled function is from: threads run files that many modules were rolled up into, with a map beside each. */
import { existsSync, readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { fileURLToPath } from 'node:url'

export interface CallFrame {
  readonly functionName: string
  readonly url: string
  /** Counted from 0. */
  readonly lineNumber: number
  readonly columnNumber: number
}

const maps = new Map<string, SourceMap | undefined>()

/** The address of the module that the function stands in, as far as that is known: of the file that was run, otherwise. */
export function moduleOf({ url, lineNumber, columnNumber }: CallFrame): string {
  const source = mapOf(url)?.findEntry(lineNumber, columnNumber)
  return source !== undefined && 'originalSource' in source ? new URL(source.originalSource, url).href : url
}

function mapOf(url: string): SourceMap | undefined {
  if (!maps.has(url)) maps.set(url, readMap(url))
  return maps.get(url)
}

function readMap(url: string): SourceMap | undefined {
  if (!url.startsWith('file:')) return undefined
  const file = `${fileURLToPath(url)}.map`
  // A module has a map too, to what was compiled: that is the same module.
  if (!existsSync(file)) return undefined
  const map = JSON.parse(readFileSync(file, 'utf8')) as SourceMapPayload
  return map.sources.every((source) => source.endsWith('.js')) ? new SourceMap(map) : undefined
}

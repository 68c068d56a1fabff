/** The handler of test/fixtures/handler-records.mjs, and what it has written. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

export class HandlerRecord {
  readonly file: string
  readonly module: URL

  constructor(folder: string, name = 'handled') {
    this.file = path.join(folder, name)
    this.module = new URL('../fixtures/handler-records.mjs', import.meta.url)
    this.module.searchParams.set('file', this.file)
  }

  lines(): string[] {
    return existsSync(this.file) ? readFileSync(this.file, 'utf8').trim().split('\n') : []
  }

  /** The offsets of all calls that went well, in order. */
  offsets(): number[] {
    return this.lines().flatMap((line) =>
      line.includes(':')
        ? line
            .slice(line.indexOf(':') + 1)
            .trim()
            .split(' ')
            .map(Number)
        : [],
    )
  }
}

export const words = (...values: string[]): Uint8Array[] => values.map((value) => Buffer.from(value))

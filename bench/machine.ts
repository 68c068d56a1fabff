import { readFileSync, statfsSync } from 'node:fs'
import os from 'node:os'

/** `f_type` of statfs(2). */
const fileSystemNames: Readonly<Record<number, string>> = {
  61267: 'ext2/3/4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  26985: 'nfs',
}
const gibibyte = 1024 ** 3

/** What a figure depends on, besides the code. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly kernel: string
  readonly fileSystem: string
  readonly node: string
  readonly v8: string
  readonly bookend: string
  readonly date: string
}

/** Describes this machine and the file system that a directory is on. */
export function describeMachine(directory: string): Machine {
  const cpus = os.cpus()
  const { type } = statfsSync(directory)
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGib: Math.round(os.totalmem() / gibibyte),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    fileSystem: fileSystemNames[type] ?? `0x${type.toString(16)}`,
    node: process.version,
    v8: process.versions.v8,
    bookend: bookendVersion(),
    date: new Date().toISOString(),
  }
}

function bookendVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

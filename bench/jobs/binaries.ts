/** Where the servers are that queues of jobs need: on this machine, or not. */
import { accessSync, constants, readdirSync } from 'node:fs'
import path from 'node:path'
import type { ContenderName } from '../contenders/catalogue.js'

const folders = (process.env.PATH ?? '').split(path.delimiter)
/** Where Debian has those that nobody calls by hand. */
const debian = '/usr/lib/postgresql'

export const redisBinary: string | undefined = [
  process.env.REDIS_SERVER ?? '',
  ...folders.map((folder) => path.join(folder, 'redis-server')),
].find(isExecutable)

/** With `initdb` and `postgres` in it. */
export const postgresFolder: string | undefined = [process.env.POSTGRES_BIN ?? '', ...versions(), ...folders].find(
  (folder) => ['initdb', 'postgres'].every((name) => isExecutable(path.join(folder, name))),
)

/** Why it cannot take part; undefined: it can. */
export function whyNoJobs(name: ContenderName): string | undefined {
  if (process.platform !== 'linux') return 'Linux only: processor time of servers is read from /proc'
  if (name === 'bullmq' && redisBinary === undefined)
    return 'no redis-server on this machine: apt-get install redis-server, or set REDIS_SERVER'
  if (name === 'pg-boss' && postgresFolder === undefined)
    return 'no PostgreSQL on this machine: apt-get install postgresql, or set POSTGRES_BIN to the folder of initdb and postgres'
  return undefined
}

function versions(): string[] {
  try {
    return readdirSync(debian).map((version) => path.join(debian, version, 'bin'))
  } catch {
    return []
  }
}

function isExecutable(file: string): boolean {
  if (file === '') return false
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

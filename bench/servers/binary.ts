/** Where the server is that the benchmark and the tests of JetStream start. `.ci/run` installs it; elsewhere it is there or not. */
import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'

const version = 'v2.15.2'

/** Undefined: this machine has none, and what needs it is left out. */
export const serverBinary: string | undefined = [
  process.env.NATS_SERVER,
  path.join(
    process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
    'bookend',
    'nats-server',
    version,
    'nats-server',
  ),
  ...(process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, 'nats-server')),
].find((candidate) => candidate !== undefined && candidate !== '' && isExecutable(candidate))

/** The word that stands in the place of what is left out. */
export const withoutServer = `no nats-server on this machine: go install github.com/nats-io/nats-server/v2@${version}, or set NATS_SERVER`

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

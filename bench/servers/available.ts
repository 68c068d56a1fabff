/** Who of those that need servers can take part here. */
import type { ContenderName } from '../contenders/catalogue.js'
import { serverBinary, withoutServer } from './binary.js'

const clients = ['@nats-io/jetstream', '@nats-io/transport-node']

/** Why one cannot; undefined: it can. */
export function whyNoServers(name: ContenderName, isSmoke: boolean): string | undefined {
  if (process.platform !== 'linux') return 'Linux only: processor time of servers is read from /proc'
  if (serverBinary === undefined) return withoutServer
  if (isSmoke && name.endsWith('-r3')) return 'a cluster of three is not started in a smoke run'
  return isInstalled() ? undefined : `not installed: npm install ${clients.join(' ')}`
}

function isInstalled(): boolean {
  try {
    for (const name of clients) import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

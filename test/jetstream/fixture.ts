/** Servers of one test file, and logs on them that are closed when the test ends. */
import type { Log } from 'bookend'
import { type JetStreamOptions, open } from 'bookend/jetstream'
import { afterAll, describe, onTestFinished } from 'vitest'
import { serverBinary, withoutServer } from '../../bench/servers/binary.js'
import { type ServerOptions, Servers } from '../support/nats/servers.js'

export interface World {
  servers(): Promise<Servers>
  /** A log on these servers, or on another way to them. */
  open(options?: Partial<JetStreamOptions>, urls?: string | string[]): Promise<Log>
  /** A name that no other log of the file has. */
  newName(): string
}

/** Declares the cases where there is a server; elsewhere a word stands in their place. */
export function withServers(options: ServerOptions, cases: (world: World) => void): void {
  if (serverBinary === undefined) {
    describe.skip(withoutServer, () => {})
    return
  }
  let servers: Promise<Servers> | undefined
  let names = 0
  afterAll(async () => (await servers)?.stop())
  const start = () => {
    servers ??= Servers.start(options)
    return servers
  }
  const newName = () => `log${names++}`
  cases({
    servers: start,
    newName,
    async open(more = {}, urls) {
      const { urls: all } = await start()
      const log = await open(urls ?? all, { name: newName(), replicas: options.nodes ?? 1, ...more })
      onTestFinished(() => log.close())
      return log
    },
  })
}

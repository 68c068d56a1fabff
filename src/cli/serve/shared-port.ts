/**
 * How several threads serve one port. Where Node can have the kernel share it out among sockets of several threads, each listens by itself; elsewhere one accepts, and hands connections on
 * in turn, as duplicates of their descriptors: Node has no other way to move one to another thread.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { loadLibc } from '../../memory/libc.js'
import { exitStatus, Failure } from '../failure.js'
import type { ServePlace } from './web-server.js'

export type Sharing = 'reuse' | 'hand-over'

const reusing = new Set<NodeJS.Platform>(['linux', 'freebsd', 'sunos', 'aix'])

export function sharingOf(node: string, platform: NodeJS.Platform): Sharing {
  const [major, minor] = node.split('.').map(Number)
  const isKnown = major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
  return isKnown && reusing.has(platform) ? 'reuse' : 'hand-over'
}

/**
 * A port that nobody else has, the kernel's choice for 0. Sockets that share a port would not be told that others, of another log, have it already.
 * @throws EADDRINUSE
 */
export async function freePlace({ host, port }: ServePlace): Promise<AddressInfo> {
  const probe = createServer().listen({ host, port, exclusive: true })
  await once(probe, 'listening')
  const address = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return address
}

export interface Handing {
  readonly address: AddressInfo
  close(): Promise<void>
}

/** @param take is given the descriptor of a connection, to own it. @throws Failure where it cannot be done; the system's error */
export async function handOver(place: ServePlace, take: (descriptor: number) => void): Promise<Handing> {
  const libc = loadLibc()
  if (libc instanceof Error) {
    const text = `several threads need Node 22.12 or later on Linux or FreeBSD, or native calls to hand connections on: ${libc.message}`
    throw new Failure(text, exitStatus.failed)
  }
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (connection: Socket) => {
    const { fd } = (connection as Socket & { _handle: { fd: number } | null })._handle ?? { fd: -1 }
    const own = libc.duplicate(fd)
    // The duplicate keeps it open; nothing has been read of it.
    connection.destroy()
    if (own >= 0) take(own)
  })
  server.listen(place)
  await once(server, 'listening')
  return {
    address: server.address() as AddressInfo,
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}

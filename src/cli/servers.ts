/** Logs that servers keep, named by a URL: `nats://HOST:PORT/NAME`. */
import type { Log } from '../log/log.js'
import { exitStatus, Failure } from './failure.js'

/** Loaded by whoever names a URL, by path: it needs packages that nobody else does. */
const module = new URL('../jetstream/index.js', import.meta.url)

interface JetStream {
  open(servers: string, options: object): Promise<Log>
}

/** Who waits at a prompt does not wait for a minute. */
const giveUpMs = 15_000
const schemes = ['nats:', 'tls:', 'ws:', 'wss:']

export function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
}

interface Servers {
  servers: string
  /** Of `open` of `bookend/jetstream`. */
  options: object
  /** What is wrong with the URL. */
  problem?: string
}

/** Of `nats://USER:PASSWORD@HOST:PORT/NAME?replicas=1`: who is asked, and for what. */
export function serversOf(text: string): Servers {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const name = url?.pathname.slice(1) ?? ''
  const replicas = url?.searchParams.get('replicas')
  const client = {
    ...(url?.password ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } : {}),
    ...(url?.username && !url.password ? { token: decodeURIComponent(url.username) } : {}),
    ...(url?.protocol === 'tls:' ? { tls: {} } : {}),
  }
  return {
    servers: `${url?.protocol}//${url?.host}`,
    options: { name, giveUpMs, client, ...(replicas ? { replicas: Number(replicas) } : {}) },
    problem:
      url === undefined || !schemes.includes(url.protocol)
        ? 'It must be a directory, or nats://HOST:PORT/NAME.'
        : name === ''
          ? 'It must say the name of the log: nats://HOST:PORT/NAME.'
          : undefined,
  }
}

export async function openOnServers(text: string): Promise<Log> {
  const { servers, options } = serversOf(text)
  try {
    const { open } = (await import(module.href)) as JetStream
    return await open(servers, options)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('@nats-io')) throw error
    const text = 'logs on NATS servers need two packages more: npm install @nats-io/jetstream @nats-io/transport-node'
    throw new Failure(text, exitStatus.failed)
  }
}

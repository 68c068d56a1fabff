/** The options of `open` for JetStream: documented, checked, completed. */
import type { NodeConnectionOptions } from '@nats-io/transport-node'
import type { Durability, Retention } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { defaultMaxMessageBytes, defaultRingBytes, maxRingBytes, minRingBytes } from '../limits.js'
import { checkReaders, checkRetention } from '../log/options.js'
import { durabilities } from '../log/supported.js'
import { checkBoolean, checkInteger, checkKeys, checkName, checkOneOf, describe } from '../log/validate.js'
import { maxLogName } from './server/names.js'

/** Options of the client: TLS, user, token, credentials; what Bookend needs to be its own is left out. */
export type ClientOptions = Omit<
  NodeConnectionOptions,
  'servers' | 'reconnect' | 'maxReconnectAttempts' | 'waitOnFirstConnect' | 'ignoreAuthErrorAbort' | 'port'
>

/** How a log on NATS servers is opened. */
export interface JetStreamOptions {
  /** Name of the log: topics of one name are one log for everybody who opens it. 1 to 50 of A-Z a-z 0-9 . _ -, not starting with a dot. */
  name: string
  /**
   * How many nodes hold each message: 1, 3 or 5; 3 unless said. One is for development: the end of that node's process may take back group
   * acknowledgements that it has confirmed.
   */
  replicas?: number
  /** What an append means that names no level; `process` unless said. `replicated` needs `replicas` of 3, `disk` proof besides: {@link monitors}. */
  durability?: Durability
  /**
   * Monitoring URLs of all nodes (`http://host:8222`): what they say of `sync_interval` is the proof that the level `disk` needs.
   */
  monitors?: readonly string[]
  /** True: the operator vouches for `sync_interval: always` on all nodes, and `disk` needs no other proof. */
  serverSyncs?: boolean
  /** What is on its way to the servers, bytes a topic; 8 MiB unless said. Beyond it `offer` returns false. */
  ringBytes?: number
  /** Longest value with key and headers, bytes; what the servers' `max_payload` holds unless said. */
  maxMessageBytes?: number
  /** Most messages of one batch, and so of `appendMany`; 1,000 unless said, as the servers' `limits { batch { max_msgs } }`. */
  batchMessages?: number
  /** What may be deleted, of every topic that says nothing else; nothing unless said. */
  retention?: Retention
  /** What does not get through for so long fails with `BOOKEND_DISCONNECTED`, ms; 60,000 unless said. At most half of {@link duplicateWindowMs}. */
  giveUpMs?: number
  /** How long servers remember which batches they have, ms; 120,000 unless said. Fixed when a topic comes to be. */
  duplicateWindowMs?: number
  /** What a process held that has died comes again after this, ms; 30,000 unless said. Fixed when a group comes to be. */
  ackWaitMs?: number
  /** Threads that share a scan, and of each processor that names no `concurrency`; the cores of the machine less one unless said. */
  readers?: number
  /** The client's: `tls`, `user`, `pass`, `token`, `authenticator` and the like. Functions among them cannot go to threads: there is no `scan` then. */
  client?: ClientOptions
}

/** Complete and checked. */
export interface CompleteOptions {
  readonly servers: readonly string[]
  readonly name: string
  readonly replicas: number
  readonly durability: Durability
  readonly monitors: readonly string[]
  readonly serverSyncs: boolean
  readonly ringBytes: number
  readonly maxMessageBytes: number
  readonly isMaxMessageBytesGiven: boolean
  readonly batchMessages: number
  readonly giveUpMs: number
  readonly duplicateWindowMs: number
  readonly ackWaitMs: number
  readonly readers: number
  readonly retention: Retention | undefined
  readonly client: ClientOptions
}

const known = [
  ...['name', 'replicas', 'durability', 'monitors', 'serverSyncs', 'ringBytes', 'maxMessageBytes', 'batchMessages'],
  ...['giveUpMs', 'duplicateWindowMs', 'ackWaitMs', 'readers', 'retention', 'client'],
]
const reserved = ['servers', 'reconnect', 'maxReconnectAttempts', 'waitOnFirstConnect', 'ignoreAuthErrorAbort', 'port']
const schemes = /^(nats|tls):\/\//

/** @throws TypeError, RangeError */
export function completeOptions(servers: string | readonly string[], options: JetStreamOptions): CompleteOptions {
  checkKeys('open()', options, known)
  const { maxMessageBytes, client = {} } = options
  const name = checkName('log', options.name)
  if (name.length > maxLogName) throw new RangeError(`name has at most ${maxLogName} characters, not ${name.length}`)
  if (typeof client !== 'object' || client === null) throw new TypeError(`client is an object, not ${describe(client)}`)
  const taken = Object.keys(client).filter((key) => reserved.includes(key))
  if (taken.length > 0) throw new TypeError(`client has no option ${taken.join(', ')}: Bookend sets it`)
  const giveUpMs = checkInteger('giveUpMs', options.giveUpMs ?? 60_000, 100, 24 * 3_600_000)
  const duplicateWindowMs = checkInteger('duplicateWindowMs', options.duplicateWindowMs ?? 120_000, 200, 2 ** 31)
  // A retry must find what the first try has written, and so be over before that is forgotten.
  if (giveUpMs * 2 > duplicateWindowMs)
    throw new RangeError(
      `giveUpMs is at most half of duplicateWindowMs (${duplicateWindowMs}), not ${giveUpMs}: a retry has to find what the first try wrote`,
    )
  return {
    servers: checkServers(servers),
    name,
    replicas: checkReplicas(options.replicas ?? 3),
    durability: checkOneOf('durability', options.durability ?? 'process', durabilities),
    monitors: checkMonitors(options.monitors ?? []),
    serverSyncs: checkBoolean('serverSyncs', options.serverSyncs ?? false),
    ringBytes: checkInteger('ringBytes', options.ringBytes ?? defaultRingBytes, minRingBytes, maxRingBytes),
    maxMessageBytes: checkInteger('maxMessageBytes', maxMessageBytes ?? defaultMaxMessageBytes, 1, 64 << 20),
    isMaxMessageBytesGiven: maxMessageBytes !== undefined,
    batchMessages: checkInteger('batchMessages', options.batchMessages ?? 1_000, 1, 65_536),
    giveUpMs,
    duplicateWindowMs,
    ackWaitMs: checkInteger('ackWaitMs', options.ackWaitMs ?? 30_000, 1_000, 24 * 3_600_000),
    readers: checkReaders(options.readers),
    retention: options.retention && checkKept(options.retention),
    client: { ...client },
  }
}

function checkKept(retention: Retention): Retention {
  const checked = checkRetention('retention', retention)
  if (checked.compact === true)
    throw new BookendError(
      'BOOKEND_UNSUPPORTED',
      'a log on JetStream does not have retention.compact; nothing was written',
    )
  return checked
}

function checkServers(servers: unknown): string[] {
  const list: unknown = typeof servers === 'string' ? servers.split(',').map((each) => each.trim()) : servers
  if (!Array.isArray(list) || list.length === 0 || !list.every((each) => typeof each === 'string'))
    throw new TypeError('the servers are a URL (nats://host:4222), or several of them in an array')
  for (const each of list)
    if (!schemes.test(each) || !URL.canParse(each))
      throw new RangeError(`${JSON.stringify(withoutCredentials(each))} is no URL of a server: nats://host:4222`)
  return [...list]
}

function checkReplicas(replicas: unknown): number {
  const known = checkInteger('replicas', replicas, 1, 5)
  // An even number stands no more failures than the odd one below it.
  if (known % 2 === 0) throw new RangeError(`replicas is 1, 3 or 5, not ${known}`)
  return known
}

function checkMonitors(monitors: unknown): string[] {
  if (!Array.isArray(monitors) || !monitors.every((each) => typeof each === 'string' && /^https?:\/\//.test(each)))
    throw new TypeError('monitors are URLs of the nodes (http://host:8222) in an array')
  return [...monitors]
}

/** For messages to people. */
export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//')
}

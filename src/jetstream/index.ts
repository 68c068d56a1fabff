/**
 * The same logs on NATS JetStream: several machines instead of one.
 * @module bookend/jetstream
 */
import { EngineLog, type Log } from '../log/log.js'
import { openJetStream } from './jetstream-engine.js'
import { completeOptions, type JetStreamOptions } from './options.js'

export type { Mirror } from './mirror/copier.js'
export { type MirrorOptions, mirror } from './mirror/mirror.js'
export { type ReplayOptions, replay } from './mirror/replay.js'
export type { ClientOptions, JetStreamOptions } from './options.js'

/**
 * Opens a log that is kept by NATS servers with JetStream, 2.14 or later. Any number of processes may have it open at the same time, all of
 * them to read and to write. The packages `@nats-io/jetstream` and `@nats-io/transport-node` have to be installed beside this one.
 * @param servers URL of a node, `nats://host:4222`, or of several
 * @throws `BOOKEND_DISCONNECTED` if none answers for `giveUpMs`; `BOOKEND_UNSUPPORTED` if they are too old, have no JetStream, or do not
 *   keep the level that is asked for; TypeError, RangeError for bad options
 */
export async function open(servers: string | readonly string[], options: JetStreamOptions): Promise<Log> {
  return new EngineLog(await openJetStream(completeOptions(servers, options)))
}

/** What `bookend serve` and its threads say to each other. */
import type { LogPort } from '../../engine/terms.js'
import type { ServerOptions } from '../../http/options.js'
import type { StreamsPort } from '../../http/threads/messages.js'
import type { ServePlace, WebLimits } from './web-server.js'

/** What of the server's options can be sent. */
export type ServeOptions = Pick<ServerOptions, 'basePath' | 'cors' | 'limits' | 'longPollMs'>

export interface ServeThreadData {
  readonly options: ServeOptions
  readonly limits: WebLimits
  readonly log: LogPort
  readonly streams: StreamsPort
  /** Where it listens by itself; undefined: connections are handed to it. */
  readonly place: ServePlace | undefined
}

export type ToServeThread = { readonly descriptor: number } | { readonly close: true }
/** Or, when it cannot, it ends by the error. */
export interface FromServeThread {
  readonly isReady: true
}

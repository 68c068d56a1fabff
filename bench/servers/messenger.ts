/** What is measured of a log in a directory, of the same on servers, and of the servers' own client. */
import type { ReadCount } from '../contenders/contender.js'
import type { Job } from '../job.js'

export interface Messenger {
  /** As fast as it takes them, until all are stored. */
  appendAll(messages: number, values: readonly Uint8Array[]): Promise<void>
  /** One message; awaited by the caller. */
  appendOne(value: Uint8Array): Promise<unknown>
  /** The first so many, in order. */
  readAll(messages: number): Promise<ReadCount>
  /** So many through a new group, each acknowledged, each acknowledgement answered. */
  consumeAll(group: string, messages: number): Promise<void>
  /** What is appended from now on. Resolves when nothing can be missed; `receive` returns false when it has seen enough. */
  follow(receive: (value: Uint8Array) => boolean): Promise<{ readonly finished: Promise<void> }>
  /** Processor time of the servers, in milliseconds; 0 where there are none. */
  cpuMs(): number
  close(): Promise<void>
}

/** Deliveries that wait for their acknowledgement, or acknowledgements for their answer. */
export const mostUnderWay = 1000

/** What the parameter of a case means: flushed to the device before it is acknowledged, or not. */
export const isFlushed = ({ parameter }: Pick<Job, 'parameter'>): boolean => parameter === 1

export async function openMessenger(job: Job): Promise<Messenger> {
  const nodes = job.contender.endsWith('-r3') ? 3 : 1
  switch (job.contender) {
    case 'bookend':
      return (await import('./bookend.js')).openLocal(job)
    case 'jetstream-r1':
    case 'jetstream-r3':
      return (await import('./bookend.js')).openOnServers(job, nodes)
    case 'nats-r1':
    case 'nats-r3':
      return (await import('./nats-client.js')).openClient(job, nodes)
    default:
      throw new Error(`${job.contender} is not measured on servers`)
  }
}

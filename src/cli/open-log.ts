/** Opening a log for a verb: to look at it, or to change it. */
import path from 'node:path'
import { type Log, open } from '../log/log.js'
import type { Topic } from '../log/topic.js'
import { findExtent } from '../storage/check/log-extent.js'
import { nodeDisk } from '../storage/files/disk.js'
import { exitStatus, Failure } from './failure.js'
import { isUrl, openOnServers } from './servers.js'

/** As its owner goes on; without one, as it was left. Takes no lock and writes nothing. @param place a directory, or a URL */
export function openToRead(place: string): Promise<Log> {
  if (isUrl(place)) return openOnServers(place)
  return open(path.resolve(place), { readOnly: true, follow: true, readers: 1, keepAlive: true })
}

/** @throws `BOOKEND_LOCKED`, naming the owner; `BOOKEND_FORMAT` if there is no log: a misspelt name must not make one */
export async function openToChange(directory: string): Promise<Log> {
  findExtent({ disk: nodeDisk, directory, isLive: true })
  return openToAppend(directory)
}

/** Makes the log if there is none. @param place a directory, or a URL. @throws `BOOKEND_LOCKED`, naming the owner */
export function openToAppend(place: string, durability: 'process' | 'disk' = 'process'): Promise<Log> {
  if (isUrl(place)) return openOnServers(place)
  return open(path.resolve(place), { readers: 1, keepAlive: true, durability })
}

/** A topic that is there. */
export async function existingTopic(log: Log, name: string): Promise<Topic<Uint8Array>> {
  const names = await log.topics()
  if (names.includes(name)) return log.topic(name)
  const there = names.length === 0 ? 'it has none' : `it has ${listed(names)}`
  throw new Failure(`${log.directory} has no topic ${name}: ${there}`, exitStatus.failed)
}

/** Those that are asked for, or all. */
export async function topicsOf(log: Log, wanted: readonly string[] | undefined): Promise<Topic<Uint8Array>[]> {
  if (wanted !== undefined) return Promise.all([...new Set(wanted)].map((name) => existingTopic(log, name)))
  return (await log.topics()).map((name) => log.topic(name))
}

const listedNames = 10

function listed(names: readonly string[]): string {
  const more = names.length - listedNames
  return `${names.slice(0, listedNames).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/**
 * Topics that no application names: a log keeps in them, in one order with the messages, what has to come to be at one moment with these.
 * Their names begin with a dot.
 *
 * **Registers** (`.r.NAME`, and `.p.NAME` of producers) are numbers. A register is a topic without messages: where a declaration states the first
 * readable offset of another topic, it states one more than the number. So a number is written by a declaration, as part of whatever atomic group
 * that stands in; it is declared anew before its segment is deleted, and found by recovery, like every topic; and every thread reads it
 * in the topic's cell. Invariant: the last declaration in the log counts, whether the number rises or falls, and nothing is ever appended to it. 0: it
 * was never set.
 *
 * **Journals** (`.a.CELL`) hold what transactions acknowledge of a group: see ack-layout.ts.
 *
 * **Scheduled messages** wait in `.later`, each a record whose headers say where it goes and when; in which order those come due that are too many for
 * memory stands in `.due` (see due-layout.ts), and two registers (`.c.due`, `.c.id`) say up to where in that order all are delivered.
 */
import type { RegisterKind } from '../engine/terms.js'
import { maxNameBytes } from '../limits.js'
import { type FeatureSet, featureSet, noFeature } from './features.js'

const registerPrefixes = ['.r.', '.p.', '.c.'] as const

/** Of the names of all topics in a log. */
export const maxStoredNameBytes = maxNameBytes + registerPrefixes[0].length

/** @param kind `p`: of a producer; `c`: how far scheduled messages are delivered */
export function registerTopic(kind: RegisterKind, name: string): string {
  return `.${kind}.${name}`
}

/** @param cell of the group in the groups file */
export function journalTopic(cell: number): string {
  return `.a.${cell}`
}

export const laterTopic = '.later'
export const dueTopic = '.due'

const hiddenFeatures = featureSet('transactions')
const laterFeatures = hiddenFeatures | featureSet('schedules')

/** What a log has that has the topic. */
export function topicFeatures(name: string): FeatureSet {
  if (!isHiddenTopic(name)) return noFeature
  return name === laterTopic ? laterFeatures : hiddenFeatures
}

export function isHiddenTopic(name: string): boolean {
  return name.startsWith('.')
}

export function isRegister(name: string): boolean {
  return registerPrefixes.some((prefix) => name.startsWith(prefix))
}

/** What follows the kind of a hidden topic in its name: a name like every other. */
export function hiddenRest(name: string): string {
  return name.replace(/^\.(?:[a-z]\.)?/, '')
}

/** What a register's topic states as its first readable offset. */
export function statedBy(value: number): number {
  return value + 1
}

/** The register's number by that; undefined: it was never set. */
export function registerValue(stated: number): number | undefined {
  return stated === 0 ? undefined : stated - 1
}

import type { ContenderName } from '../contenders/catalogue.js'

export const standardCaseNames = ['append', 'in-flight', 'latency', 'read', 'read-batches', 'scan'] as const
export const longCaseNames = ['cold-read', 'idle-memory', 'recovery'] as const
export const caseNames = [...standardCaseNames, ...longCaseNames] as const
export type StandardCaseName = (typeof standardCaseNames)[number]
export type LongCaseName = (typeof longCaseNames)[number]
export type CaseName = (typeof caseNames)[number]

/** A case that every contender runs in turn, round after round. */
export interface StandardCase {
  readonly name: StandardCaseName
  readonly title: string
  readonly contenders: readonly ContenderName[]
  /** True where the store is written once, by a process of its own, and only read in the rounds. */
  readonly needsData: boolean
  /** The figure that stands in the table and in the ratios. */
  readonly headline: 'messagesPerSecond' | 'p50Us'
  /** More than this many messages would only take longer. */
  readonly maxMessages: number
}

/** Appends that wait at the same time in the case `in-flight`. */
export const appendsInFlight = 1000

export const standardCases: readonly StandardCase[] = [
  {
    name: 'append',
    title: 'offer until published',
    contenders: ['bookend', 'bare', 'bare-16k', 'write-sync', 'lmdb', 'better-sqlite3'],
    needsData: false,
    headline: 'messagesPerSecond',
    maxMessages: Number.POSITIVE_INFINITY,
  },
  {
    name: 'in-flight',
    title: 'append, 1,000 in flight',
    contenders: ['bookend', 'lmdb'],
    needsData: false,
    headline: 'messagesPerSecond',
    maxMessages: 1_000_000,
  },
  {
    name: 'latency',
    title: 'one awaited append at a time, p50',
    contenders: ['bookend', 'bare', 'write-sync', 'lmdb', 'better-sqlite3'],
    needsData: false,
    headline: 'p50Us',
    maxMessages: 20_000,
  },
  {
    name: 'read',
    title: 'read() to the application thread',
    contenders: ['bookend', 'write-sync', 'lmdb', 'better-sqlite3'],
    needsData: true,
    headline: 'messagesPerSecond',
    maxMessages: Number.POSITIVE_INFINITY,
  },
  {
    name: 'read-batches',
    title: 'read().batches()',
    contenders: ['bookend'],
    needsData: true,
    headline: 'messagesPerSecond',
    maxMessages: Number.POSITIVE_INFINITY,
  },
  {
    name: 'scan',
    title: 'scan with forEach, one reader',
    contenders: ['bookend'],
    needsData: true,
    headline: 'messagesPerSecond',
    maxMessages: Number.POSITIVE_INFINITY,
  },
]

export const longCaseTitles: Readonly<Record<LongCaseName, string>> = {
  'cold-read': 'event loop delay during a cold read',
  'idle-memory': 'resident memory, idle for two TTLs',
  recovery: 'open after kill -9',
}

import { join } from 'node:path'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import { requirePackage } from '../peer-packages.js'
import { type ConditionalWrites, type ConditionStore, idOf } from './condition-store.js'

interface Database {
  put(key: string | number, value: Uint8Array, version?: number): Promise<boolean>
  remove(key: string | number): Promise<boolean>
  ifVersion(key: string | number, version: number, work: () => void): Promise<boolean>
  ifNoExists(key: string | number, work: () => void): Promise<boolean>
  getRange(options: { limit: number }): Iterable<{ key: number; value: Uint8Array }>
  getCount(): number
  transaction<R>(work: () => R): Promise<R>
  openDB(options: Readonly<Record<string, unknown>>): Database
  close(): Promise<void>
}
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Database
}

const head = 'head'
const nothing = new Uint8Array(1)
/** Puts between two awaits. */
const putsPerAwait = 10_000

/** By its own conditions, which are judged in its thread, many in one transaction, and by its asynchronous transactions. */
export async function openLmdbConditions(options: StoreOptions): Promise<ConditionStore> {
  const { open } = requirePackage<Lmdb>(options.packageDirectory, 'lmdb')
  const root = open({ path: join(options.directory, 'data.mdb'), encoding: 'binary', maxDbs: 12 })
  const database = (name: string, more = {}) =>
    root.openDB({ name, encoding: 'binary', keyEncoding: 'uint32', ...more })
  const states = root.openDB({ name: 'states', encoding: 'binary', useVersions: true })
  await states.put(head, nothing, 1)
  return {
    plain: puts(database('plain'), (messages, index, value) => messages.put(index, value)),
    // The version of the head is one more than the number that comes next.
    expected: puts(database('expected'), (messages, index, value) =>
      states.ifVersion(head, index + 1, () => {
        states.put(head, nothing, index + 2)
        messages.put(index, value)
      }),
    ),
    named: named(database('named'), database('ids', { keyEncoding: 'ordered-binary' })),
    transact: transactions(database('input'), database('output')),
    close: () => root.close(),
  }
}

function puts(
  messages: Database,
  put: (messages: Database, index: number, value: Uint8Array) => Promise<boolean>,
): ConditionalWrites {
  let next = messages.getCount()
  return { write: (value) => put(messages, next++, value), written: () => messages.getCount() }
}

function named(messages: Database, ids: Database): ConditionalWrites {
  return puts(messages, (_, index, value) =>
    ids.ifNoExists(idOf(index), () => {
      ids.put(idOf(index), nothing)
      messages.put(index, value)
    }),
  )
}

function transactions(input: Database, output: Database): ConditionalWrites {
  let nextIn = 0
  let nextOut = 0
  return {
    async prepare(count, values) {
      let last: Promise<boolean> | undefined
      for (let index = 0; index < count; index++) {
        last = input.put(nextIn++, valueAt(values, index))
        if (index % putsPerAwait === 0) await last
      }
      await last
    },
    write: (value) =>
      output.transaction(() => {
        for (const { key } of input.getRange({ limit: 1 })) {
          input.remove(key)
          output.put(nextOut++, value)
        }
      }),
    written: () => output.getCount(),
  }
}

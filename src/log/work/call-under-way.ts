/**
 * In which call of a handler the code runs that asks: who waits there for the end of calls waits for itself. Node carries that along from version 24 on at next to no cost;
 * before, it would slow down every promise of the process, and is known until the handler waits for the first time.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import process from 'node:process'

/** A call of a handler. */
export interface CallUnderWay {
  /** What it is a call of. */
  readonly of: { readonly engine: object }
  readonly isOver: boolean
}

const isCarried = Number(process.versions.node.split('.')[0]) >= 24
const storage = isCarried ? new AsyncLocalStorage<CallUnderWay>() : undefined
let current: CallUnderWay | undefined

/** Makes the call. */
export function callWithin<A extends readonly unknown[]>(
  call: CallUnderWay,
  handler: (...args: A) => unknown,
  ...args: A
): unknown {
  if (storage !== undefined) return storage.run(call, handler, ...args)
  const outer = current
  current = call
  try {
    return handler(...args)
  } finally {
    current = outer
  }
}

/** Undefined: none, or it is over. */
export function callUnderWay(): CallUnderWay | undefined {
  const call = storage === undefined ? current : storage.getStore()
  return call?.isOver === false ? call : undefined
}

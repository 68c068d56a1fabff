/** Errors that applications get. */
import { expect, it } from 'vitest'
import { conflictError } from '../src/failures.js'

it('a conflict says what it is without frames, and those of all other errors are as before', () => {
  const limit = Error.stackTraceLimit
  const conflict = conflictError('t', 1, 2)
  expect(conflict.stack).toContain(conflict.message)
  expect(conflict.stack).not.toContain('\n    at ')
  expect(Error.stackTraceLimit).toBe(limit)
  expect(new Error('another').stack).toContain('\n    at ')
})

it('where the length of stacks cannot be set a conflict is one all the same', () => {
  const { value } = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') ?? {}
  Object.defineProperty(Error, 'stackTraceLimit', { value, writable: false, configurable: true })
  try {
    expect(conflictError('t', 1, 2)).toMatchObject({ code: 'BOOKEND_CONFLICT', expected: 1, actual: 2 })
  } finally {
    Object.defineProperty(Error, 'stackTraceLimit', { value, writable: true, configurable: true })
  }
})

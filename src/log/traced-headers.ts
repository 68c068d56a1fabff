/** The trace of an append travels with its messages. */
import type { AppendTrace } from '../tracing.js'
import type { AppendOptions } from './append-options.js'

/** Headers of the call, with what the subscribers have added under them. What is not right about those of the call is left as it is, and refused. */
export function withHeaders<O extends Pick<AppendOptions, 'headers'>>(
  options: O | undefined,
  { headers }: AppendTrace,
): O | undefined {
  const added = Object.getOwnPropertyDescriptors(headers)
  if (Object.keys(added).length === 0) return options
  const own: unknown = options?.headers === undefined ? {} : options.headers
  if (typeof own !== 'object' || own === null) return options
  const merged = Object.create(Object.getPrototypeOf(own), { ...added, ...Object.getOwnPropertyDescriptors(own) })
  return { ...options, headers: merged } as O
}

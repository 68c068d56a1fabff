/** What an engine cannot do is refused here, before it is called. */
import type { Engine, EngineSchedules, EngineTransactions, LocalParts } from '../engine/engine.js'
import type { Durability } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { checkOneOf } from './validate.js'

/** All there are, whatever an engine keeps. */
export const durabilities = ['process', 'replicated', 'disk'] as const satisfies readonly Durability[]

/** @throws `BOOKEND_UNSUPPORTED` */
export function checkSupported({ facts }: Pick<Engine, 'facts'>, isSupported: boolean, what: string): void {
  if (!isSupported) throw unsupportedError(facts.place, what)
}

/** @throws TypeError, RangeError; `BOOKEND_UNSUPPORTED` for a level that is not kept here */
export function checkLevel(
  { facts, supports }: Pick<Engine, 'facts' | 'supports'>,
  what: string,
  level: unknown,
): Durability {
  const known = checkOneOf(what, level, durabilities)
  if (!supports.durabilities.includes(known)) throw unsupportedError(facts.place, `the level '${known}'`)
  return known
}

/** @throws `BOOKEND_UNSUPPORTED` where the log has no files in this process */
export function localParts({ facts, local }: Engine, what: string): LocalParts {
  if (local === undefined) throw unsupportedError(facts.place, what)
  return local
}

/** @throws `BOOKEND_UNSUPPORTED` */
export function transactionsOf({ facts, transactions }: Engine, what: string): EngineTransactions {
  if (transactions === undefined) throw unsupportedError(facts.place, what)
  return transactions
}

/** @throws `BOOKEND_UNSUPPORTED` */
export function schedulesOf({ facts, schedules }: Engine, what: string): EngineSchedules {
  if (schedules === undefined) throw unsupportedError(facts.place, what)
  return schedules
}

function unsupportedError(place: string, what: string): BookendError {
  return new BookendError('BOOKEND_UNSUPPORTED', `the log at ${place} does not have ${what}; nothing was written`)
}

/** Before a group is used. @throws `BOOKEND_CLOSED`; `BOOKEND_READ_ONLY` where it could not keep its position */
export function checkGroups(engine: Engine): void {
  if (engine.facts.isFollower) engine.checkOpen()
  else engine.checkWritable()
}

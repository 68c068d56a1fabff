/**
 * What a follower may believe of a log that another process writes. Facts in, a judgement out: no file, no clock.
 *
 * What is published stays published, whatever becomes of the owner: batches below the position are whole in the page cache, and the next
 * owner's recovery keeps them. So what a follower knows never goes back; a log in which it does is not the one that was followed.
 *
 * - The control file is written behind what it speaks of, so what an owner at work says there is true, only old. One that is gone says
 *   nothing, nor does a record from before the machine was started: a power cut may have taken what they speak of.
 * - The bell says more, but only as the word of an owner that is at work: one that holds the locks, and rings with the epoch that the control
 *   file names. Any other is the remainder of an owner that is gone, and after a power cut it may speak of what is not there; an owner silences
 *   it before it takes an epoch, which may be the same once more.
 * - Of a log that nobody has open, the end is where a recovery would find it: what is behind that was never published.
 */
import type { BellRecord } from '../../format/bell-layout.js'
import type { ControlRecord } from '../../format/control-layout.js'
import type { LogOwner } from '../files/log-owner.js'

/** What a follower finds at one look. */
export interface LogLook {
  record: Pick<ControlRecord, 'epoch' | 'published' | 'trim' | 'bootId'>
  /** Undefined: there is none, or none of this log. */
  bell: BellRecord | undefined
  owner: LogOwner['state']
  /** Of the machine's present boot. */
  bootId: string
}

/** How far a follower knows a log. */
export interface KnownLog {
  epoch: number
  published: number
  trim: number
}

export type Judgement =
  /** The owner is at work, and its bell is heard. */
  | ({ kind: 'hearing' } & KnownLog)
  /** There may be an owner at work, whose bell is not heard. */
  | ({ kind: 'looking' } & KnownLog)
  /** Nobody has the log open. */
  | ({ kind: 'left' } & KnownLog)
  /** It is not the log any more that was followed. */
  | { kind: 'replaced'; why: string }

export function judge(known: KnownLog, { record, bell, owner, bootId }: LogLook): Judgement {
  if (record.epoch < known.epoch)
    return { kind: 'replaced', why: `its epoch was ${known.epoch} and is ${record.epoch} now` }
  const isCurrent = owner !== 'none' && record.bootId === bootId
  const isHeard = isCurrent && bell !== undefined && bell.epoch === record.epoch
  const published = Math.max(isCurrent ? record.published : 0, isHeard ? bell.published : 0)
  // The next owner has looked at all there is before it says how far the log goes. Of the same one the record is older than the bell was.
  if (isCurrent && record.epoch > known.epoch && published < known.published)
    return { kind: 'replaced', why: `it went up to position ${known.published} and ends at ${published} now` }
  const log: KnownLog = {
    epoch: record.epoch,
    published: Math.max(known.published, published),
    trim: Math.max(known.trim, record.trim, isHeard ? bell.trim : 0),
  }
  if (owner === 'none') return { kind: 'left', ...log }
  return { kind: isHeard ? 'hearing' : 'looking', ...log }
}

/**
 * Whether the files of a directory belong together. A restore that is mixed up puts the control file of one log beside the segments
 * or the groups of another; to go on with that would delete the one and deliver it as the other. Pure over what was looked at.
 */
import path from 'node:path'
import { BookendError } from '../../errors.js'
import type { ControlRecord } from '../../format/control-layout.js'
import { logIdText, logMarkOf } from '../../format/log-id.js'
import type { Disk } from './disk.js'
import { GroupFile } from './group-file.js'
import type { SegmentFiles, SegmentLook } from './segment-files.js'

/** The segments of other logs among those that were looked at, and whether there is none of this log beside them. */
export function strangersAmong(looks: ReadonlyMap<number, SegmentLook>): { foreign: number[]; isAll: boolean } {
  const of = (...wanted: SegmentLook[]) => [...looks].filter(([, look]) => wanted.includes(look)).map(([at]) => at)
  const foreign = of('foreign')
  return { foreign, isAll: foreign.length > 0 && of('whole', 'cut', 'unknown').length === 0 }
}

/**
 * Why a control record cannot be the one of these segments; undefined if it can. Files go only after what the trim position says is
 * durable, and the segment at that position is there before: anything else would delete what nobody has trimmed.
 */
export function recordFault(
  { trim, durable }: ControlRecord,
  files: SegmentFiles,
  segments: readonly number[],
): string | undefined {
  if (!(trim <= durable))
    return `says that everything below ${trim} is trimmed, but only what is below ${durable} was durable`
  const last = segments.at(-1)
  if (last === undefined || last >= files.segmentOf(trim)) return undefined
  return `says that everything below ${trim} is trimmed, but the last segment is ${path.basename(files.path(last))}`
}

/** To be asked before anything is changed: the error that tells which file is another log's, if one is. */
export function misfitError(
  disk: Disk,
  directory: string,
  files: SegmentFiles,
  record: ControlRecord | undefined,
  looks: ReadonlyMap<number, SegmentLook>,
): BookendError | undefined {
  const refuse = (file: string, what: string) => new BookendError('BOOKEND_FORMAT', `${file} ${what}`, { file })
  const control = path.join(directory, 'control')
  const anew = `or run "bookend repair ${directory}", which makes it anew from them`
  const { foreign, isAll } = strangersAmong(looks)
  if (isAll)
    return refuse(
      control,
      `belongs to another log (${logIdText(files.id)}) than the segments beside it: put back the one that belongs to them, ${anew}`,
    )
  const [first] = foreign
  if (first !== undefined)
    return refuse(
      files.path(first),
      `belongs to another log than its control file (${logIdText(files.id)}): move it away, or run "bookend repair ${directory}", which sets it aside`,
    )
  const unknown = unknownError(files, looks)
  if (unknown !== undefined) return unknown
  const fault = record === undefined ? undefined : recordFault(record, files, [...looks.keys()])
  if (fault !== undefined)
    return refuse(control, `${fault}: it is not the control file of the segments beside it. Put that back, ${anew}`)
  const groups = GroupFile.open(disk, directory, files.id, 'read')
  const mark = groups?.foreignMark
  groups?.close()
  if (mark === undefined) return undefined
  return refuse(
    GroupFile.path(directory),
    `belongs to another log (${logIdText(mark)}) than its control file (${logIdText(logMarkOf(files.id))}): put back the one that belongs to it, or move this one away, and the groups begin anew`,
  )
}

/** The first segment that only a later release can read, if there is one. */
export function unknownError(files: SegmentFiles, looks: ReadonlyMap<number, SegmentLook>): BookendError | undefined {
  const segment = [...looks].find(([, look]) => look === 'unknown')?.[0]
  if (segment === undefined) return undefined
  const file = files.path(segment)
  return new BookendError('BOOKEND_FORMAT', `${file} ${files.faultOf(segment)}`, { file })
}

/** Two segments name one topic differently: they were written by different logs. */
export function misnamedError(file: string, topic: number, name: string, known: string): BookendError {
  const message = `${file} declares topic number ${topic} as "${name}", and segments before it as "${known}": it belongs to another log. Put back the one that belongs here`
  return new BookendError('BOOKEND_FORMAT', message, { file })
}

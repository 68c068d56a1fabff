/** Damage as lines for people. */
import type { Damage, LostOffsets, Remark } from '../storage/check/verify-report.js'
import type { Colors } from './terminal.js'
import { counted, whole } from './units.js'

const shownTopics = 10

export function damageLines(damages: readonly Damage[], colors: Colors): string[] {
  return damages.flatMap((damage) => foundLines(damage, colors.red('damage'), colors))
}

export function remarkLines(remarks: readonly Remark[], colors: Colors): string[] {
  return remarks.flatMap((remark) => foundLines(remark, colors.yellow('note  '), colors))
}

/** Messages that are known to be lost. */
export function lostCount(found: readonly { lost: LostOffsets[] }[]): number {
  return found.flatMap(({ lost }) => lost).reduce((sum, { from, to }) => sum + (to ?? from) - from, 0)
}

/** What damage has taken, in words. */
export function lossText(damages: readonly Damage[]): string {
  const lost = lostCount(damages)
  const isUnknown = damages.some((damage) => damage.kind === 'missing' && damage.lost.length === 0)
  if (isUnknown)
    return `${lost === 0 ? '' : `${counted(lost, 'message')} lost, and `}what a missing file held is not known`
  return lost === 0 ? 'no message known to be lost' : `${counted(lost, 'message')} lost`
}

function foundLines(
  { kind, file, position, bytes, what, lost }: Damage | Remark,
  label: string,
  colors: Colors,
): string[] {
  const size = bytes > 0 ? `, ${counted(bytes, 'byte')}` : ''
  const lines = [`${label}  ${colors.bold(kind)} in ${file}`, `        position ${whole(position)}${size}: ${what}`]
  const ranges = lost.slice(0, shownTopics).map(({ topic, from, to = from + 1 }) => {
    const range = to - from === 1 ? `offset ${whole(from)}` : `offsets ${whole(from)} to ${whole(to - 1)}`
    return `${range} of ${topic}`
  })
  if (lost.length > shownTopics) ranges.push(`and of ${whole(lost.length - shownTopics)} more topics`)
  if (ranges.length > 0) lines.push(`        lost: ${ranges.join(', ')}`)
  return lines
}

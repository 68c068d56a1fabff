/**
 * What a terminal may be given. Names of directories, and texts in files of a log, are whatever somebody has put there: a control
 * character in them could move the cursor, hide what was printed or answer in the user's place.
 */

const introducer = String.fromCharCode(0x1b)
/** Colours are ours; in JSON such characters stand escaped. */
const colourOrControl = new RegExp(`${introducer}\\[[\\d;]*m|[\\p{Cc}\\p{Cf}]`, 'gu')

/** The text with all control characters but line ends and colours as `\uXXXX`, which JSON reads as the same. */
export function visible(text: string): string {
  return text.replaceAll(colourOrControl, (found) => {
    if (found === '\n' || found.startsWith(`${introducer}[`)) return found
    return Array.from({ length: found.length }, (_, unit) => escaped(found.charCodeAt(unit))).join('')
  })
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
